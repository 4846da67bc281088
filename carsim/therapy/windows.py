"""Windows: a parameter holds another value for a time. Covariates: a parameter follows a course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carsim.errors import ScenarioError, did_you_mean
from carsim.therapy.doses import check_as_many, check_repeats
from carsim.therapy.values import (
    Item,
    PerPatient,
    Series,
    check_name,
    columns,
    number,
    series,
    store,
)

INTERPOLATIONS = ("nocb", "locf", "linear")


@dataclass(frozen=True, eq=False)
class Window(Item):
    """A parameter holds `value`, or `scale` times its own value, on ``[start, stop)``.

    Parameters
    ----------
    parameter : str
        Parameter of the model; not one that the model computes.
    start : float, list or array, model time unit
        Beginning; a list gives several windows, an array is one time a patient (shape (n,)) or
        several (shape (n, k)); infinite where a patient has fewer. Before the start of the
        simulation it holds from there on. In a rule it counts from the firing, 0 by default.
    stop : float, list or array, optional
        End (exclusive), where the patient's own value returns; None means to the end of the
        simulation. ``stop <= start`` means that the window does not exist.
    value : float or array, optional
        Value in the unit of the parameter.
    scale : float or array, optional
        Factor, in place of `value`.
    duration : float or array, optional
        Length, in place of `stop`.
    every : float or array, optional
        Interval from one window to the next, as of a dose that acts on the parameter itself.
    count : int or array, optional
        How many windows in all.
    until : float or array, optional
        No window begins at this time or later.

    Notes
    -----
    Windows of one parameter may overlap: factors multiply, also onto a value; two values at the
    same time are an error. Initial states follow from the values outside of all windows.
    """

    parameter: str
    start: Series | None = None
    stop: Series | None = None
    value: PerPatient | None = None
    scale: PerPatient | None = None
    duration: PerPatient | None = None
    every: PerPatient | None = None
    count: PerPatient | None = None
    until: PerPatient | None = None

    def __post_init__(self) -> None:
        where = f"Window of {self.parameter!r}"
        check_name(where, "parameter", self.parameter)
        if self.start is not None:
            store(self, start=series(where, "start", self.start, infinite=True))
        if self.stop is not None:
            store(self, stop=series(where, "stop", self.stop, infinite=True))
        if self.duration is not None:
            store(self, duration=number(where, "duration", self.duration, at_least=0.0))
        if (self.value is None) == (self.scale is None):
            given = "neither value nor scale" if self.value is None else "both value and scale"
            raise ScenarioError(f"{where}: {given}. Give one of them.")
        if self.value is not None:
            store(self, value=number(where, "value", self.value))
        if self.scale is not None:
            store(self, scale=number(where, "scale", self.scale, at_least=0.0))
        check_repeats(where, self)
        check_as_many(where, {"stop": self.stop}, "start", self.start)
        if self.stop is not None and self.duration is not None:
            raise ScenarioError(f"{where}: stop and duration contradict each other. Give one.")
        if self.every is not None and self.duration is None:
            raise ScenarioError(
                f"{where}: every repeats it, so say how long one window lasts with duration."
            )


@dataclass(frozen=True, eq=False)
class Covariate(Item):
    """A parameter follows values measured at some times, such as weight or renal function.

    Parameters
    ----------
    parameter : str
        Parameter of the model, which the equations use; not one that the model computes when a
        patient starts.
    at : float, list or array, model time unit
        Times of the records: a list for everybody, or an array of shape (n, k); infinite where a
        patient has fewer records.
    value : float, list or array
        Values in the unit of the parameter, as many as times.
    interpolation : {"nocb", "locf", "linear"}
        Between two records the parameter has the value of the next one (NONMEM's convention, the
        default), of the last one, or in proportion to the time. Before the first record it has the
        first value, after the last one the last.

    Notes
    -----
    With "nocb" and "locf" each change is a hard stop. With "linear" the parameter becomes a state
    of its own with a constant derivative, so that the solver's order is kept.
    """

    parameter: str
    at: Series
    value: Series
    interpolation: str = "nocb"

    def __post_init__(self) -> None:
        where = f"Covariate {self.parameter!r}"
        check_name(where, "parameter", self.parameter)
        store(self, at=series(where, "at", self.at, infinite=True))
        store(self, value=series(where, "value", self.value))
        times, values = columns(self.at), columns(self.value)
        if times.shape[1] != values.shape[1]:
            raise ScenarioError(
                f"{where}: {values.shape[1]} values for {times.shape[1]} times. Give as many."
            )
        with np.errstate(invalid="ignore"):
            unordered = times[:, 1:] <= times[:, :-1]
        unordered &= np.isfinite(times[:, 1:])
        if unordered.any():
            row, place = (int(k) for k in np.argwhere(unordered)[0])
            who = f" (patient {row})" if len(times) > 1 else ""
            raise ScenarioError(
                f"{where}: at: {times[row, place + 1]:g} follows {times[row, place]:g}{who}. The "
                f"times must ascend, each once."
            )
        if not np.isfinite(times[:, 0]).all():
            raise ScenarioError(f"{where}: at: a patient has no record. Give at least one each.")
        if self.interpolation not in INTERPOLATIONS:
            raise ScenarioError(
                f"{where}: interpolation = {self.interpolation!r} is none of "
                f"{', '.join(INTERPOLATIONS)}."
                + did_you_mean(str(self.interpolation), INTERPOLATIONS)
            )


@dataclass(frozen=True, eq=False)
class Reset(Item):
    """States return to their initial values, and what was given before enters no longer.

    Running infusions end; doses that lag, and the repeats of an item that began earlier, are
    cancelled (NONMEM's EVID = 3). A dose at the same time comes after the reset (EVID = 4).

    Parameters
    ----------
    at : float, list or array, model time unit
        Times; infinite where a patient has fewer. In a rule it counts from the firing, 0 by
        default.
    states : sequence of str, optional
        States to reset, with what is given into them; all by default.
    """

    at: Series | None = None
    states: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.at is not None:
            store(self, at=series("Reset", "at", self.at, infinite=True))
        given: object = self.states
        if isinstance(given, str):
            raise ScenarioError(
                f"Reset: states is the text {self.states!r}; give a list: [{self.states!r}]."
            )
        if not isinstance(given, Sequence):
            raise ScenarioError(f"Reset: states = {given!r} is not a list of names of states.")
        store(self, states=tuple(self.states))
        for name in self.states:
            check_name("Reset", "states", name)
