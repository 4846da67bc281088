"""Functions for equations: they work on floats, arrays, quantities and symbols alike.

An ``rhs`` is called with numbers, with arrays, with dimension-carrying quantities and with
symbols. These functions look at what they get: an argument whose type defines
``__carsim_function__(name, args)`` answers for itself, arrays go to numpy, and plain floats follow
IEEE arithmetic (``exp(1000.0)`` is infinity and not an OverflowError), as compiled code does.

All arguments of a function may be scalars or arrays that broadcast against each other.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ModelError

__all__ = [
    "abs_",
    "exp",
    "hill",
    "log",
    "maximum",
    "minimum",
    "pow_",
    "power",
    "sqrt",
    "tanh",
    "where",
]


class Dispatching(Protocol):
    """A number-like object that evaluates the functions of this module itself."""

    def __carsim_function__(self, name: str, args: tuple[Any, ...]) -> Any:
        """Evaluate the function `name` for `args`, of which `self` is one."""


Number: TypeAlias = float | NDArray[np.float64] | Dispatching
Condition: TypeAlias = bool | np.bool_ | NDArray[np.bool_] | Dispatching


# To a type checker `~` of a bool is an int.
@overload
def where(condition: int, a: float, b: float) -> float: ...
@overload
def where(condition: Condition, a: Number, b: Number) -> Any: ...
def where(condition: Any, a: Any, b: Any) -> Any:
    """Choose `a` where `condition` holds, otherwise `b`.

    Both sides are always evaluated: write ``maximum(x, 0)`` inside a side that must not see
    negative numbers.

    Parameters
    ----------
    condition : bool or condition
        A comparison such as ``y.virus > p.threshold``; join two with ``&`` and ``|``, negate one
        with ``~``.
    a, b : float
        In one common unit.

    Returns
    -------
    float
        In the unit of `a` and `b`.
    """
    handler = _handler(condition, a, b)
    if handler is not None:
        return handler.__carsim_function__("where", (condition, a, b))
    if isinstance(condition, np.ndarray):
        if condition.dtype == np.bool_:
            return np.where(condition, a, b)
    elif isinstance(condition, (bool, np.bool_)):
        if _is_array(a) or _is_array(b):
            return np.where(condition, a, b)
        return a if condition else b
    negated = ""
    if type(condition) is int and condition in (-1, -2):
        negated = (
            " `~` of a Python bool is a number: compare numpy floats, as Model.derivatives does."
        )
    raise ModelError(
        f"where({condition!r}, ...): the first argument is not a comparison. "
        f"Write for example where(y.virus > p.threshold, a, b).{negated}"
    )


@overload
def minimum(a: float, b: float) -> float: ...
@overload
def minimum(a: Number, b: Number) -> Any: ...
def minimum(a: Any, b: Any) -> Any:
    """Smaller of two values; NaN if one of them is NaN.

    Parameters
    ----------
    a, b : float
        In one common unit; a literal 0 goes with any unit.

    Returns
    -------
    float
        In the unit of `a` and `b`.
    """
    handler = _handler(a, b)
    if handler is not None:
        return handler.__carsim_function__("minimum", (a, b))
    if _is_numpy(a) or _is_numpy(b):
        return np.minimum(a, b)
    return a if a <= b or a != a else b


@overload
def maximum(a: float, b: float) -> float: ...
@overload
def maximum(a: Number, b: Number) -> Any: ...
def maximum(a: Any, b: Any) -> Any:
    """Larger of two values; NaN if one of them is NaN.

    Parameters
    ----------
    a, b : float
        In one common unit; a literal 0 goes with any unit.

    Returns
    -------
    float
        In the unit of `a` and `b`.
    """
    handler = _handler(a, b)
    if handler is not None:
        return handler.__carsim_function__("maximum", (a, b))
    if _is_numpy(a) or _is_numpy(b):
        return np.maximum(a, b)
    return a if a >= b or a != a else b


@overload
def exp(x: float) -> float: ...
@overload
def exp(x: Number) -> Any: ...
def exp(x: Any) -> Any:
    """Exponential function of a plain number (unit 1)."""
    handler = _handler(x)
    if handler is not None:
        return handler.__carsim_function__("exp", (x,))
    if _is_numpy(x):
        with np.errstate(all="ignore"):
            return np.exp(x)
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


@overload
def log(x: float) -> float: ...
@overload
def log(x: Number) -> Any: ...
def log(x: Any) -> Any:
    """Natural logarithm of a plain number (unit 1); minus infinity at 0, NaN below."""
    handler = _handler(x)
    if handler is not None:
        return handler.__carsim_function__("log", (x,))
    if _is_numpy(x):
        with np.errstate(all="ignore"):
            return np.log(x)
    if x > 0.0:
        return math.log(x)
    return -math.inf if x == 0.0 else math.nan


@overload
def sqrt(x: float) -> float: ...
@overload
def sqrt(x: Number) -> Any: ...
def sqrt(x: Any) -> Any:
    """Square root; NaN of a negative number. The unit is the square root of the unit of `x`."""
    handler = _handler(x)
    if handler is not None:
        return handler.__carsim_function__("sqrt", (x,))
    if _is_numpy(x):
        with np.errstate(all="ignore"):
            return np.sqrt(x)
    return math.sqrt(x) if x >= 0.0 else math.nan


@overload
def tanh(x: float) -> float: ...
@overload
def tanh(x: Number) -> Any: ...
def tanh(x: Any) -> Any:
    """Hyperbolic tangent of a plain number (unit 1): a smooth step from -1 to 1."""
    handler = _handler(x)
    if handler is not None:
        return handler.__carsim_function__("tanh", (x,))
    return np.tanh(x) if _is_numpy(x) else math.tanh(x)


@overload
def abs_(x: float) -> float: ...
@overload
def abs_(x: Number) -> Any: ...
def abs_(x: Any) -> Any:
    """Absolute value, in the unit of `x`."""
    handler = _handler(x)
    if handler is not None:
        return handler.__carsim_function__("abs", (x,))
    return np.abs(x) if _is_numpy(x) else math.fabs(x)


@overload
def power(x: float, n: float) -> float: ...
@overload
def power(x: Number, n: Number) -> Any: ...
def power(x: Any, n: Any) -> Any:
    """``max(x, 0)**n``: a power that never sees a slightly negative pool.

    `pow_` does not take a negative base for 0.

    Parameters
    ----------
    x : float
        Base; a negative value counts as 0.
    n : float
        Exponent, a plain number. If `x` has a unit, `n` must be a literal such as ``2`` or ``0.5``,
        because the unit of the result depends on it.

    Returns
    -------
    float
        In the unit of `x` to the power `n`.
    """
    handler = _handler(x, n)
    if handler is not None:
        return handler.__carsim_function__("power", (x, n))
    if _is_numpy(x) or _is_numpy(n):
        with np.errstate(all="ignore"):
            return np.power(np.maximum(x, 0.0), np.float64(n) if not _is_array(n) else n)
    return _scalar_power(x if x > 0.0 or x != x else 0.0, n)


@overload
def pow_(x: float, n: float) -> float: ...
@overload
def pow_(x: Number, n: Number) -> Any: ...
def pow_(x: Any, n: Any) -> Any:
    """``x**n`` as IEEE arithmetic defines it, for values that may be negative.

    A negative `x` with a whole `n` keeps its sign (``pow_(-2.0, 3.0)`` is -8), also where `n` is a
    parameter; with any other `n` the result is NaN.

    Parameters
    ----------
    x : float
        Base.
    n : float
        Exponent, a plain number; a literal if `x` has a unit, as for `power`.

    Returns
    -------
    float
        In the unit of `x` to the power `n`.
    """
    handler = _handler(x, n)
    if handler is not None:
        return handler.__carsim_function__("pow", (x, n))
    if _is_numpy(x) or _is_numpy(n):
        with np.errstate(all="ignore"):
            return np.float_power(x, n)
    if x < 0.0 and n == n and not float(n).is_integer():
        return math.nan
    if x < 0.0 and n == n and n % 2.0 == 1.0:
        return -_scalar_power(-x, n)
    return _scalar_power(math.fabs(x), n)


@overload
def hill(x: float, k: float, n: float = 1.0) -> float: ...
@overload
def hill(x: Number, k: Number, n: Number = 1.0) -> Any: ...
def hill(x: Any, k: Any, n: Any = 1.0) -> Any:
    """Saturating response ``x**n / (k**n + x**n)``, from 0 at ``x = 0`` to 1.

    A negative `x` or `k` counts as 0. Where both are 0 the value is that of an empty pool, 0;
    with ``k = 0`` any other `x` gives 1. With the literal exponent 1 (the default) the value is
    ``x / (k + x)`` as written, smooth through 0. Otherwise no intermediate value overflows.

    Parameters
    ----------
    x : float
        Concentration or size of the pool.
    k : float
        Value of `x` at half of the maximum, in the unit of `x`, positive.
    n : float
        Steepness, a plain number.

    Returns
    -------
    float
        Plain number, 0 to 1.
    """
    handler = _handler(x, k, n)
    if handler is not None:
        return handler.__carsim_function__("hill", (x, k, n))
    numpy_like = _is_numpy(x) or _is_numpy(k) or _is_numpy(n)
    # A parameter that happens to be 1 is a numpy number and keeps the clamp of its general form.
    if type(n) in (int, float) and n == 1:
        if numpy_like:
            with np.errstate(all="ignore"):
                return np.float64(x) / (k + x) if not _is_array(x) else x / (k + x)
        return x / (k + x) if k + x != 0.0 else _over_zero(x)
    # The array form takes care of both ends; one element is not worth a form of its own.
    response = _hill(np.asarray(x), np.asarray(k), np.asarray(n))
    if response.ndim:
        return response
    return response[()] if numpy_like else float(response)


def _hill(x: NDArray[Any], k: NDArray[Any], n: NDArray[Any]) -> NDArray[np.float64]:
    x, k = np.maximum(x, 0.0), np.maximum(k, 0.0)
    with np.errstate(all="ignore"):
        ratio = np.where(x == 0.0, np.inf, k / x)
        fraction = np.float_power(ratio, n)
        # A ratio at the ends of the range of floats, or out of it: its power may be inside.
        beyond = ((ratio < 1e-300) | (ratio > 1e300)) & (x > 0.0) & (k > 0.0)
        beyond &= np.isfinite(x) & np.isfinite(k)
        fraction = np.where(beyond, np.exp(n * (np.log(k) - np.log(x))), fraction)
        response: NDArray[np.float64] = np.asarray(1.0 / (1.0 + fraction))
    return response


def _over_zero(x: float) -> float:
    return math.copysign(math.inf, x) if x != 0.0 and x == x else math.nan


def _scalar_power(x: float, n: float) -> float:
    """``x**n`` of a non-negative float with IEEE results at the edges."""
    try:
        return float(x**n)
    except (OverflowError, ZeroDivisionError):
        return math.inf


def _handler(*args: Any) -> Any:
    for argument in args:
        if hasattr(type(argument), "__carsim_function__"):
            return argument
    return None


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def _is_numpy(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic))
