"""Numbers kept of a whole course: peaks, areas, crossings. They are taken inside the solver.

A metric sees every step of the solver, not the saved points, and costs one number a patient.

A window without a `stop` ends where the patient's own simulation ends. One with a `stop` that the
patient does not reach gives NaN: half a window is another quantity. A crossing that was seen stays,
as nothing later changes it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import SAME_INSTANT, Reduction, Reductions
from carsim.errors import ScenarioError
from carsim.therapy import Sources, check_source
from carsim.units import parse_unit

if TYPE_CHECKING:
    from carsim.model import Model

__all__ = [
    "METRICS",
    "AreaUnder",
    "FirstAbove",
    "FirstBelow",
    "Last",
    "Maximum",
    "Metric",
    "Minimum",
    "TimeAbove",
    "TimeOfMaximum",
    "TimeOfMinimum",
    "ValueAt",
    "compile_metrics",
]


@dataclass(frozen=True)
class Metric(ABC):
    """A number that is kept of one output.

    Parameters
    ----------
    of : str
        Observable or state.
    """

    of: str
    kind: ClassVar[Reduction]
    is_instant: ClassVar[bool] = False
    """Whether the number is a time on the simulation's clock."""

    @abstractmethod
    def unit(self, model: Model) -> str:
        """Return the unit of the number, spelt as in `carsim.units`."""

    @abstractmethod
    def words(self, model: Model) -> str:
        """Return a description for axes and tables."""

    def window(self, start: float, stop: float) -> tuple[float, float]:
        """Return the times between which the course is looked at, model time unit."""
        return start, stop

    @property
    def level(self) -> float:
        """Threshold, NaN for a metric without one."""
        return math.nan

    def covered(
        self, start: float, stop: NDArray[np.float64], *, shortened: bool = False
    ) -> NDArray[np.bool_]:
        """Which patients live through the window.

        Parameters
        ----------
        start : float, model time unit
            Start of the simulation.
        stop : float64 array, shape (n,), model time unit
            Where each patient's simulation ends.
        shortened : bool
            Whether the window may end early, with the simulation.

        Returns
        -------
        bool array, shape (n,)
            The number of the others is not defined.
        """
        return np.ones(stop.shape, dtype=bool)

    def check(self, where: str, model: Model, start: float, stop: float) -> None:
        """Check names and times against a model and a simulation.

        Parameters
        ----------
        where : str
            Name of the metric, for messages.
        model : Model
            Model that is run.
        start, stop : float, model time unit
            Span of the simulation.

        Raises
        ------
        ScenarioError
            An unknown output, a window outside the simulation, a threshold that is not finite.
        """
        check_source(model, self.of, where, "of")
        first, last = self.window(start, stop)
        for name, time in (("start", first), ("stop", last)):
            if not _is_finite(time):
                raise ScenarioError(f"{where}: {name} = {time!r} is not a time.")
        if first > last or (first == last and self.kind is not Reduction.VALUE_AT):
            raise ScenarioError(
                f"{where}: it starts at {first:g} and stops at {last:g}. Let it stop later."
            )
        if first < start or last > stop:
            raise ScenarioError(
                f"{where}: it looks from {first:g} to {last:g}, but the simulation runs from "
                f"{start:g} to {stop:g}. Shorten the one or extend the other."
            )


@dataclass(frozen=True)
class _Windowed(Metric):
    """A metric of the course between two times."""

    start: float | None = None
    stop: float | None = None

    def window(self, start: float, stop: float) -> tuple[float, float]:
        """Return the times between which the course is looked at, model time unit."""
        return _window(self.start, self.stop, start, stop)

    def covered(
        self, start: float, stop: NDArray[np.float64], *, shortened: bool = False
    ) -> NDArray[np.bool_]:
        """Which patients live through the window."""
        return _covers(self.start, None if shortened else self.stop, start, stop)

    def unit(self, model: Model) -> str:
        """Return the unit of the output."""
        return model.unit_of(self.of)

    def words(self, model: Model) -> str:
        """Return for example ``maximum of viral load from 0 to 28 day``."""
        title = self.kind.name.replace("_", " ").lower()
        return f"{title} of {model.words_of(self.of)}{_when(self.start, self.stop, model)}"


class Maximum(_Windowed):
    """Largest value between `start` and `stop` (default: the whole simulation)."""

    kind = Reduction.MAXIMUM


class Minimum(_Windowed):
    """Smallest value between `start` and `stop` (default: the whole simulation)."""

    kind = Reduction.MINIMUM


class TimeOfMaximum(_Windowed):
    """Time of the largest value; the first if there are several."""

    kind = Reduction.TIME_OF_MAXIMUM
    is_instant = True

    def unit(self, model: Model) -> str:
        """Return the model's time unit."""
        return model.time_unit


class TimeOfMinimum(TimeOfMaximum):
    """Time of the smallest value; the first if there are several."""

    kind = Reduction.TIME_OF_MINIMUM


class AreaUnder(_Windowed):
    """Integral over time."""

    kind = Reduction.AREA

    def unit(self, model: Model) -> str:
        """Return the unit of the output times the time unit."""
        return str(parse_unit(model.unit_of(self.of)) * parse_unit(model.time_unit))

    def words(self, model: Model) -> str:
        """Return for example ``area under viral load from 0 to 28 day``."""
        return f"area under {model.words_of(self.of)}{_when(self.start, self.stop, model)}"


@dataclass(frozen=True)
class _Threshold(Metric):
    """A time that has to do with a threshold, in the unit of the output."""

    threshold: float
    start: float | None = None
    stop: float | None = None
    title: ClassVar[str]

    def window(self, start: float, stop: float) -> tuple[float, float]:
        """Return the times between which the course is looked at, model time unit."""
        return _window(self.start, self.stop, start, stop)

    def covered(
        self, start: float, stop: NDArray[np.float64], *, shortened: bool = False
    ) -> NDArray[np.bool_]:
        """Which patients live through the window; a first crossing needs no end of it."""
        open_end = shortened or self.is_instant
        return _covers(self.start, None if open_end else self.stop, start, stop)

    @property
    def level(self) -> float:
        """Threshold in the unit of the output."""
        return self.threshold

    def unit(self, model: Model) -> str:
        """Return the model's time unit."""
        return model.time_unit

    def words(self, model: Model) -> str:
        """Return for example ``first time that viral load is above 10 IU/mL``."""
        level = f"{self.threshold:g} {model.unit_of(self.of)}"
        source = model.words_of(self.of)
        return f"{self.title.format(source, level)}{_when(self.start, self.stop, model)}"

    def check(self, where: str, model: Model, start: float, stop: float) -> None:
        """Check names, times and the threshold."""
        super().check(where, model, start, stop)
        if not _is_finite(self.threshold):
            raise ScenarioError(
                f"{where}: threshold = {self.threshold!r}. Give a finite number in "
                f"{model.unit_of(self.of)}."
            )


class FirstAbove(_Threshold):
    """First time at which the output is above the threshold; NaN if it never is."""

    kind = Reduction.FIRST_ABOVE
    is_instant = True
    title = "first time that {0} is above {1}"


class FirstBelow(_Threshold):
    """First time at which the output is below the threshold; NaN if it never is."""

    kind = Reduction.FIRST_BELOW
    is_instant = True
    title = "first time that {0} is below {1}"


class TimeAbove(_Threshold):
    """Time spent above the threshold, all stays together."""

    kind = Reduction.TIME_ABOVE
    title = "time with {0} above {1}"


@dataclass(frozen=True)
class ValueAt(Metric):
    """Value at one time.

    Parameters
    ----------
    of : str
        Observable or state.
    time : float, model time unit
        When; with an action at the same time, the value after it.
    """

    time: float
    kind = Reduction.VALUE_AT

    def window(self, start: float, stop: float) -> tuple[float, float]:
        """Return the one time, twice."""
        return self.time, self.time

    def covered(
        self, start: float, stop: NDArray[np.float64], *, shortened: bool = False
    ) -> NDArray[np.bool_]:
        """Which patients live to see the time."""
        return np.asarray(self.time <= stop + _slack(stop))

    def unit(self, model: Model) -> str:
        """Return the unit of the output."""
        return model.unit_of(self.of)

    def words(self, model: Model) -> str:
        """Return for example ``viral load at 28 day``."""
        return f"{model.words_of(self.of)} at {self.time:g} {model.time_unit}"


@dataclass(frozen=True)
class Last(Metric):
    """Value at the end of the simulation."""

    kind = Reduction.LAST

    def unit(self, model: Model) -> str:
        """Return the unit of the output."""
        return model.unit_of(self.of)

    def words(self, model: Model) -> str:
        """Return for example ``viral load at the end``."""
        return f"{model.words_of(self.of)} at the end"


METRICS: Mapping[str, type[Metric]] = MappingProxyType(
    {
        "maximum": Maximum,
        "time_of_maximum": TimeOfMaximum,
        "minimum": Minimum,
        "time_of_minimum": TimeOfMinimum,
        "area_under": AreaUnder,
        "first_above": FirstAbove,
        "first_below": FirstBelow,
        "time_above": TimeAbove,
        "value_at": ValueAt,
        "last": Last,
    }
)
"""Metrics by the name that config files use."""


def compile_metrics(
    sources: Sources, metrics: Mapping[str, Metric], start: float, stop: float
) -> Reductions:
    """Turn metrics into the engine's reductions, in the order of the mapping.

    Parameters
    ----------
    sources : Sources
        Columns of the outputs.
    metrics : mapping of str to Metric
        Metrics by name.
    start, stop : float, model time unit
        Span of the simulation.

    Returns
    -------
    Reductions
        One row a metric.
    """
    items = list(metrics.values())
    windows = [metric.window(start, stop) for metric in items]
    return Reductions(
        kind=np.array([int(metric.kind) for metric in items], dtype=np.int64),
        source=np.array([sources.column(metric.of) for metric in items], dtype=np.int64),
        start=np.array([first for first, _ in windows], dtype=np.float64),
        stop=np.array([last for _, last in windows], dtype=np.float64),
        threshold=np.array([metric.level for metric in items], dtype=np.float64),
    )


def _window(
    own_start: float | None, own_stop: float | None, start: float, stop: float
) -> tuple[float, float]:
    return (
        start if own_start is None else own_start,
        stop if own_stop is None else own_stop,
    )


def _covers(
    own_start: float | None, own_stop: float | None, start: float, stop: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether patients reach the beginning of a window, and its end if it has one of its own."""
    begun = (start if own_start is None else own_start) < stop
    return begun if own_stop is None else begun & (own_stop <= stop + _slack(stop))


def _slack(stop: NDArray[np.float64]) -> NDArray[np.float64]:
    return SAME_INSTANT * np.maximum(1.0, np.abs(stop))


def _is_finite(value: object) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


def _when(start: float | None, stop: float | None, model: Model) -> str:
    if start is None and stop is None:
        return ""
    if stop is None:
        return f" from {start:g} {model.time_unit}"
    if start is None:
        return f" up to {stop:g} {model.time_unit}"
    return f" from {start:g} to {stop:g} {model.time_unit}"
