"""Numbers that carry a unit: equations run on them are checked for dimensions.

The arithmetic is strict: ``cell/mL + cell/uL`` is an error although both are concentrations,
because the compiled equations add plain numbers. A literal 0 (or infinity) goes with every unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn, TypeVar, overload

import numpy as np

from carsim.errors import ModelError
from carsim.units.unit import DIMENSIONLESS, Unit, conversion_factor, parse_unit

__all__ = ["Quantity", "convert"]

V = TypeVar("V")

_LARGEST_DENOMINATOR = 12


class Quantity:
    """A number with a unit.

    Parameters
    ----------
    value : float
        Number, in `unit`.
    unit : Unit or str
        Its unit.

    Examples
    --------
    >>> Quantity(2.0, "cell/mL") * Quantity(3.0, "mL")
    Quantity(6.0, 'cell')
    """

    __slots__ = ("unit", "value")

    # numpy scalars then leave mixed operations to this class.
    __array_ufunc__ = None

    def __init__(self, value: float, unit: Unit | str) -> None:
        self.value = float(value)
        self.unit = parse_unit(unit) if isinstance(unit, str) else unit

    def __repr__(self) -> str:
        return f"Quantity({self.value!r}, {str(self.unit)!r})"

    def __add__(self, other: Any) -> Quantity:
        a, b, unit = _common(self, other, "+")
        return Quantity(a + b, unit)

    def __radd__(self, other: Any) -> Quantity:
        a, b, unit = _common(other, self, "+")
        return Quantity(a + b, unit)

    def __sub__(self, other: Any) -> Quantity:
        a, b, unit = _common(self, other, "-")
        return Quantity(a - b, unit)

    def __rsub__(self, other: Any) -> Quantity:
        a, b, unit = _common(other, self, "-")
        return Quantity(a - b, unit)

    def __mul__(self, other: Any) -> Quantity:
        return Quantity(self.value * _number(other), self.unit * _unit(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Quantity:
        return Quantity(_ratio(self.value, _number(other)), self.unit / _unit(other))

    def __rtruediv__(self, other: Any) -> Quantity:
        return Quantity(_ratio(_number(other), self.value), _unit(other) / self.unit)

    def __pow__(self, exponent: Any) -> Quantity:
        return _raise(self, exponent, f"[{self.unit}] ** ")

    def __rpow__(self, base: Any) -> Quantity:
        return _raise(base, self, f"{base!r} ** ")

    def __neg__(self) -> Quantity:
        return Quantity(-self.value, self.unit)

    def __pos__(self) -> Quantity:
        return self

    def __abs__(self) -> Quantity:
        return Quantity(abs(self.value), self.unit)

    # The comparisons give numpy booleans, which ``~`` negates; ``~True`` is the number -2.

    def __lt__(self, other: Any) -> np.bool_:
        a, b, _ = _common(self, other, "<")
        return np.bool_(a < b)

    def __le__(self, other: Any) -> np.bool_:
        a, b, _ = _common(self, other, "<=")
        return np.bool_(a <= b)

    def __gt__(self, other: Any) -> np.bool_:
        a, b, _ = _common(self, other, ">")
        return np.bool_(a > b)

    def __ge__(self, other: Any) -> np.bool_:
        a, b, _ = _common(self, other, ">=")
        return np.bool_(a >= b)

    def __eq__(self, other: object) -> np.bool_:  # type: ignore[override]
        a, b, _ = _common(self, other, "==")
        return np.bool_(a == b)

    def __ne__(self, other: object) -> np.bool_:  # type: ignore[override]
        a, b, _ = _common(self, other, "!=")
        return np.bool_(a != b)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise ModelError(
            f"a value in [{self.unit}] is used as a condition; compare it, as in "
            "where(x > threshold, a, b)."
        )

    def __carsim_function__(self, name: str, args: tuple[Any, ...]) -> Quantity:
        """Evaluate a function of `carsim.math` with the rules of dimensions."""
        return _FUNCTIONS[name](*args)


@overload
def convert(value: float, from_: str, to: str) -> float: ...
@overload
def convert(value: V, from_: str, to: str) -> V: ...
def convert(value: Any, from_: str, to: str) -> Any:
    """Express a value in another unit, inside an equation.

    The check of dimensions sees the unit change, which a bare factor such as ``1e-3`` would hide.

    Parameters
    ----------
    value : float, array or symbol
        Number in the unit `from_`.
    from_, to : str
        Two units of one dimension.

    Returns
    -------
    float, array or symbol
        Number in the unit `to`.

    Examples
    --------
    >>> convert(5.0, "cell/uL", "cell/mL")
    5000.0
    """
    factor = conversion_factor(from_, to)
    if isinstance(value, Quantity):
        if value.unit != parse_unit(from_):
            raise ModelError(
                f"convert(value, {from_!r}, {to!r}): the value is in [{value.unit}], not in "
                f"[{from_}]."
            )
        return Quantity(value.value * factor, to)
    return value * factor


def _number(x: Any) -> float:
    return x.value if isinstance(x, Quantity) else float(x)


def _unit(x: Any) -> Unit:
    return x.unit if isinstance(x, Quantity) else DIMENSIONLESS


def _free(x: Any) -> bool:
    """Whether a literal goes with every unit: zero and infinity are the same in all of them."""
    return not isinstance(x, Quantity) and (x == 0 or math.isinf(x))


def _common(a: Any, b: Any, operation: str) -> tuple[float, float, Unit]:
    """Values and the one unit of two operands that must agree."""
    one, other = _unit(a), _unit(b)
    if _free(b):
        other = one
    elif _free(a):
        one = other
    if one != other:
        raise ModelError(_disagreement(f"{_show(a)} {operation} {_show(b)}", one, other))
    return _number(a), _number(b), one


def _show(x: Any) -> str:
    return f"[{x.unit}]" if isinstance(x, Quantity) else f"{float(x):g}"


def _disagreement(expression: str, one: Unit, other: Unit) -> str:
    if one.compatible(other):
        return (
            f"{expression}: the same kind of quantity in units that differ by a factor of "
            f"{one.scale / other.scale:g}. Use carsim.units.convert(value, '{other}', '{one}')."
        )
    return f"{expression}: the two sides measure different things."


def _ratio(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or a != a else math.copysign(math.inf, a)


def _plain(x: Any, place: str) -> float:
    """Value of an argument that must be a plain number."""
    if isinstance(x, Quantity) and not x.unit.plain:
        kind = "a plain number (unit 1)"
        raise ModelError(f"{place}[{x.unit}]: the argument must be {kind}.")
    return _number(x)


def _raise(base: Any, exponent: Any, place: str) -> Quantity:
    n = _plain(exponent, place)
    unit = _unit(base)
    if not unit.plain:
        if isinstance(exponent, Quantity):
            raise ModelError(
                f"{place}parameter: the unit of the result would depend on the value of the "
                f"parameter. Divide by a quantity in [{unit}] first, or use hill(x, k, n)."
            )
        fraction = Fraction(n).limit_denominator(_LARGEST_DENOMINATOR)
        if abs(float(fraction) - n) > 1e-9:
            raise ModelError(
                f"{place}{n:g}: a quantity with a unit can be raised to a whole number or a simple "
                f"fraction only. Divide by a quantity in [{unit}] first."
            )
        unit = unit**fraction
    else:
        unit = DIMENSIONLESS
    return Quantity(_real_power(_number(base), n), unit)


def _real_power(x: float, n: float) -> float:
    try:
        value = x**n
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return value if isinstance(value, float) else math.nan


def _where(condition: Any, a: Any, b: Any) -> Quantity:
    if not isinstance(condition, (bool, np.bool_)):
        shown = f"[{condition.unit}]" if isinstance(condition, Quantity) else repr(condition)
        raise ModelError(
            f"where({shown}, a, b): the first argument is not a comparison; write for example "
            "where(x > threshold, a, b)."
        )
    x, y, unit = _alternatives("where", a, b)
    return Quantity(x if condition else y, unit)


def _alternatives(name: str, a: Any, b: Any) -> tuple[float, float, Unit]:
    one, other = _unit(a), _unit(b)
    if _free(b):
        other = one
    elif _free(a):
        one = other
    if one != other:
        inside = "condition, " if name == "where" else ""
        raise ModelError(_disagreement(f"{name}({inside}{_show(a)}, {_show(b)})", one, other))
    return _number(a), _number(b), one


def _minimum(a: Any, b: Any) -> Quantity:
    x, y, unit = _alternatives("minimum", a, b)
    return Quantity(min(x, y), unit)


def _maximum(a: Any, b: Any) -> Quantity:
    x, y, unit = _alternatives("maximum", a, b)
    return Quantity(max(x, y), unit)


def _transcendental(name: str, function: Callable[[float], float]) -> Callable[[Any], Quantity]:
    def evaluate(x: Any) -> Quantity:
        return Quantity(function(_plain(x, f"{name} of ")), DIMENSIONLESS)

    return evaluate


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _log(x: float) -> float:
    if x > 0:
        return math.log(x)
    return -math.inf if x == 0 else math.nan


def _sqrt(x: Any) -> Quantity:
    return _raise(x, 0.5, "sqrt ")


def _power(x: Any, n: Any) -> Quantity:
    base = Quantity(max(_number(x), 0.0), _unit(x))
    return _raise(base, n, f"power of {_show(x)}, exponent ")


def _pow(x: Any, n: Any) -> Quantity:
    return _raise(x, n, f"pow_ of {_show(x)}, exponent ")


def _hill(x: Any, k: Any, n: Any) -> Quantity:
    a, b, _ = _alternatives("hill", x, k)
    exponent = _plain(n, "hill, exponent ")
    # As carsim.math.hill: a literal 1 as written, and negative numbers count as zero.
    if exponent == 1 and not isinstance(n, Quantity):
        return Quantity(_ratio(a, b + a), DIMENSIONLESS)
    a, b = max(a, 0.0), max(b, 0.0)
    falling = _real_power(b / a, exponent) if a else _real_power(math.inf, exponent)
    return Quantity(1.0 / (1.0 + falling), DIMENSIONLESS)


_FUNCTIONS: dict[str, Callable[..., Quantity]] = {
    "abs": abs,
    "exp": _transcendental("exp", _exp),
    "hill": _hill,
    "log": _transcendental("log", _log),
    "maximum": _maximum,
    "minimum": _minimum,
    "pow": _pow,
    "power": _power,
    "sqrt": _sqrt,
    "tanh": _transcendental("tanh", math.tanh),
    "where": _where,
}
