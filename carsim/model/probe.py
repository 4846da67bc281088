"""A value that notes what is done with it, and refuses to decide a branch."""

from __future__ import annotations

import hashlib
from typing import Any, NoReturn

import numpy as np

from carsim.errors import ModelError

__all__ = ["Probe", "lifted", "symbol"]

_BRANCH = (
    "a state, a parameter or the time decides a Python branch (if, while, and, or, not, min, max), "
    "which equations cannot contain. Use where(condition, a, b), minimum or maximum from "
    "carsim.math, and join conditions with & and |"
)
_CONVERSION = (
    "a state, a parameter or the time is converted to a Python number, so the equation would be "
    "frozen at one value. Use exp, log, sqrt, tanh, power, hill from carsim.math instead of the "
    "functions of math and numpy"
)

_OPERATORS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "power": "pow",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
    "bitwise_and": "and_",
    "bitwise_or": "or_",
}
"""Functions of numpy by name, with the operators of Python that they stand for."""


class Probe:
    """Stands for any state, parameter or condition; every operation gives a probe again.

    Attributes
    ----------
    operation : str
        Name in `operator` or `carsim.math`; ``"symbol"`` or ``"number"``.
    arguments : tuple of Probe
        Operands.
    payload : str, int, float, bool or None
        Name of a symbol, value of a number.
    digest : bytes
        Of the operation and the digests of its operands: equal for equal computations, in every
        process.
    """

    __slots__ = ("arguments", "digest", "operation", "payload")

    def __init__(
        self,
        operation: str,
        arguments: tuple[Probe, ...] = (),
        payload: str | int | float | bool | None = None,
    ) -> None:
        self.operation = operation
        self.arguments = arguments
        self.payload = payload
        text = f"{operation}\0{_spelled(payload)}\0".encode()
        inside = b"".join([argument.digest for argument in arguments])
        self.digest: bytes = hashlib.blake2b(text + inside, digest_size=16).digest()

    def __carsim_function__(self, name: str, args: tuple[Any, ...]) -> Probe:
        """Note a call of a function of `carsim.math`."""
        return _noted(name, *args)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Note the operators of numpy numbers and arrays; refuse numpy's functions."""
        operation = _OPERATORS.get(ufunc.__name__)
        if operation is None or method != "__call__":
            raise ModelError(f"{_CONVERSION}.")
        shapes = [each.shape for each in inputs if isinstance(each, np.ndarray)]
        if not any(shapes):
            return _noted(operation, *inputs)
        result = np.empty(np.broadcast_shapes(*shapes), dtype=object)
        spread = [
            np.broadcast_to(each, result.shape).flat
            if isinstance(each, np.ndarray)
            else [each] * result.size
            for each in inputs
        ]
        for place, operands in enumerate(zip(*spread, strict=True)):
            result.flat[place] = _noted(operation, *operands)
        return result

    def __add__(self, other: object) -> Probe:
        return _noted("add", self, other)

    def __radd__(self, other: object) -> Probe:
        return _noted("add", other, self)

    def __sub__(self, other: object) -> Probe:
        return _noted("sub", self, other)

    def __rsub__(self, other: object) -> Probe:
        return _noted("sub", other, self)

    def __mul__(self, other: object) -> Probe:
        return _noted("mul", self, other)

    def __rmul__(self, other: object) -> Probe:
        return _noted("mul", other, self)

    def __truediv__(self, other: object) -> Probe:
        return _noted("truediv", self, other)

    def __rtruediv__(self, other: object) -> Probe:
        return _noted("truediv", other, self)

    def __pow__(self, other: object) -> Probe:
        return _noted("pow", self, other)

    def __rpow__(self, other: object) -> Probe:
        return _noted("pow", other, self)

    def __neg__(self) -> Probe:
        return _noted("neg", self)

    def __pos__(self) -> Probe:
        return self

    def __abs__(self) -> Probe:
        return _noted("abs", self)

    def __invert__(self) -> Probe:
        return _noted("invert", self)

    def __lt__(self, other: object) -> Probe:
        return _noted("lt", self, other)

    def __le__(self, other: object) -> Probe:
        return _noted("le", self, other)

    def __gt__(self, other: object) -> Probe:
        return _noted("gt", self, other)

    def __ge__(self, other: object) -> Probe:
        return _noted("ge", self, other)

    def __and__(self, other: object) -> Probe:
        return _noted("and_", self, other)

    def __rand__(self, other: object) -> Probe:
        return _noted("and_", other, self)

    def __or__(self, other: object) -> Probe:
        return _noted("or_", self, other)

    def __ror__(self, other: object) -> Probe:
        return _noted("or_", other, self)

    def __eq__(self, other: object) -> Probe:  # type: ignore[override]
        return _noted("eq", self, other)

    def __ne__(self, other: object) -> Probe:  # type: ignore[override]
        return _noted("ne", self, other)

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise ModelError(f"{_BRANCH}.")

    def _refuse(self, *others: object) -> NoReturn:
        raise ModelError(f"{_CONVERSION}.")

    __float__ = __int__ = __index__ = __round__ = __array__ = _refuse
    __floor__ = __ceil__ = __trunc__ = _refuse

    def _refuse_steps(self, *others: object) -> NoReturn:
        raise ModelError(
            "'//' and '%' jump, and an equation must not. Give what happens at set times as "
            "therapy, or use where(condition, a, b) from carsim.math."
        )

    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = _refuse_steps


def symbol(name: str) -> Probe:
    """A probe that stands for the time, a state or a parameter."""
    return Probe("symbol", (), name)


def lifted(value: Any) -> Probe:
    """A probe as it is, a number as a probe of its own."""
    if isinstance(value, Probe):
        return value
    if isinstance(value, np.bool_):
        value = bool(value)
    elif type(value) not in (int, float, bool):
        value = float(value)
    return Probe("number", (), value)


def _noted(operation: str, *operands: Any) -> Probe:
    return Probe(operation, tuple([lifted(operand) for operand in operands]))


def _spelled(payload: str | int | float | bool | None) -> str:
    """A text that tells apart what computes differently, and nothing else: 2 and 2.0 are equal."""
    if payload is None or isinstance(payload, (str, bool)):
        return f"{payload}"
    return float(payload).hex()
