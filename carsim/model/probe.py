"""A value that refuses to decide a branch, to find ``if`` statements on states."""

from __future__ import annotations

from typing import Any, NoReturn

from carsim.errors import ModelError

__all__ = ["Probe"]

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

_OPERATORS = frozenset(
    {"add", "subtract", "multiply", "divide", "power", "less", "less_equal", "greater"}
    | {"greater_equal", "equal", "not_equal", "bitwise_and", "bitwise_or"}
)


class Probe:
    """Stands for any state, parameter or condition; every operation gives a probe again."""

    __slots__ = ()

    def __carsim_function__(self, name: str, args: tuple[Any, ...]) -> Probe:
        """Accept every function of `carsim.math`."""
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Probe:
        """Accept the operators of numpy numbers; refuse numpy's functions."""
        if ufunc.__name__ in _OPERATORS:
            return self
        raise ModelError(f"{_CONVERSION}.")

    def _same(self, *others: object) -> Probe:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _same
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _same
    __neg__ = __pos__ = __abs__ = __invert__ = _same
    __lt__ = __le__ = __gt__ = __ge__ = _same
    __and__ = __rand__ = __or__ = __ror__ = _same

    def __eq__(self, other: object) -> Probe:  # type: ignore[override]
        return self

    def __ne__(self, other: object) -> Probe:  # type: ignore[override]
        return self

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
