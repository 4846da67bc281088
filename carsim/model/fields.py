"""Declarations of states and parameters: value, unit, words and source on one line."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from carsim.errors import ModelError
from carsim.model.provenance import Provenance

__all__ = ["ParameterField", "StateField", "computed", "parameter", "state"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class StateField:
    """One state of a model.

    Attributes
    ----------
    name : str
        Dotted name, such as ``hbv.virus``.
    initial : float
        Initial value in `unit`, unless the model computes it from the parameters.
    unit : str
        Unit of the value; derivatives are in this unit per time unit of the model.
    words : str
        What the state is.
    provenance : Cited, Derived, Assumed or None
        Source of the initial value.
    atol : float
        Amount in `unit` below which the solver need not resolve the state.
    extinct_below : float or None
        The pool is set to zero when it falls below this amount.
    signed : bool
        Negative values have a meaning; otherwise those within `atol` of zero are taken for zero.
    """

    name: str
    initial: float
    unit: str
    words: str
    provenance: Provenance | None
    atol: float
    extinct_below: float | None
    signed: bool = False
    line: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ParameterField:
    """One parameter of a model.

    Attributes
    ----------
    name : str
        Dotted name, such as ``hbv.beta``.
    value : float
        Default in `unit`; NaN if the model computes it.
    unit : str
        Unit of the value.
    words : str
        What the parameter is.
    provenance : Cited, Derived or Assumed
        Source of the value.
    plausible : tuple of two floats, or None
        Range that a sweep takes unless told otherwise.
    lower, upper : float
        Bounds (inclusive) beyond which a value is refused.
    computed : bool
        The model computes the value when a patient starts; it cannot be set.
    """

    name: str
    value: float
    unit: str
    words: str
    provenance: Provenance
    plausible: tuple[float, float] | None
    lower: float
    upper: float
    computed: bool
    line: str = field(default="", repr=False, compare=False)


def _explained(usage: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn a call with missing or unknown arguments into a ModelError that shows the right one."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except TypeError as error:
                reason = str(error).replace(f"{function.__name__}() ", "")
                raise ModelError(
                    f"{_caller(2)}: {function.__name__}(...): {reason}. Write {usage}."
                ) from None

        return call

    return decorate


def _caller(depth: int) -> str:
    frame = sys._getframe(depth)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@_explained(
    'virus: float = state(100.0, "virion/mL", "free virus"), optionally followed by the source of '
    "the initial value, atol= and extinct_below="
)
def state(
    initial: float,
    unit: str,
    words: str,
    provenance: Provenance | None = None,
    *,
    atol: float | None = None,
    extinct_below: float | None = None,
    signed: bool = False,
) -> Any:
    """Declare a state in a `State` record.

    Parameters
    ----------
    initial : float
        Initial value in `unit`.
    unit : str
        For example ``"cell/mL"``.
    words : str
        What the state is, for tables and axes.
    provenance : Cited, Derived or Assumed, optional
        Source of the initial value.
    atol : float, default 1e-6
        Amount in `unit` below which the solver need not resolve the state: a physical floor, such
        as one cell or one virion.
    extinct_below : float, optional
        Amount in `unit` below which the pool is set to zero.
    signed : bool, default False
        Whether negative values have a meaning. Cells, virions and drugs have none: the solver takes
        values within `atol` below zero for zero, lest rounding grow like a pool.

    Returns
    -------
    Any
        A declaration that the record takes up.
    """
    floor = 1e-6 if atol is None else atol
    return StateField(
        "", initial, unit, words, provenance, floor, extinct_below, signed, line=_caller(3)
    )


@_explained(
    'beta: float = parameter(5e-8, "mL/virion/day", "infection", SOURCE), where SOURCE is '
    'Cited("10.1234/doi").at("Table 2") if that document holds the number, '
    'Derived("how it follows") or Assumed("why this value")'
)
def parameter(
    value: float,
    unit: str,
    words: str,
    provenance: Provenance,
    *,
    plausible: tuple[float, float] | None = None,
    lower: float = 0.0,
    upper: float = math.inf,
) -> Any:
    """Declare a parameter in a `Parameters` record.

    Parameters
    ----------
    value : float
        Default value in `unit`.
    unit : str
        For example ``"mL/virion/day"``.
    words : str
        What the parameter is.
    provenance : Cited, Derived or Assumed
        Source of the value.
    plausible : tuple of two floats, optional
        Range that a sweep takes unless told otherwise.
    lower, upper : float
        Inclusive bounds; a value beyond them is refused. The lower bound is 0 unless stated.

    Returns
    -------
    Any
        A declaration that the record takes up.
    """
    return ParameterField(
        "", value, unit, words, provenance, plausible, lower, upper, False, line=_caller(3)
    )


@_explained('s_E: float = computed("1/day", "effector source", Derived("from which, and how"))')
def computed(unit: str, words: str, provenance: Provenance) -> Any:
    """Declare a parameter that the model's `initialise` fills in, for each patient.

    Parameters
    ----------
    unit : str
        Unit of the value.
    words : str
        What the parameter is.
    provenance : Derived, Cited or Assumed
        How the value is computed.

    Returns
    -------
    Any
        A declaration that the record takes up.
    """
    return ParameterField(
        "",
        math.nan,
        unit,
        words,
        provenance,
        None,
        -math.inf,
        math.inf,
        True,
        line=_caller(3),
    )
