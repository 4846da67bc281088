"""What an endpoint asks of a simulation, and what it gives back.

An endpoint is a frozen object. Before the run it says which saved values and which metrics of the
engine it needs; after the run it turns blocks of them into one number a patient. It never sees
trajectories it did not ask for, so a sweep of a million patients keeps endpoints, not curves.

It counts from the infusion, which the scenario knows. Every time that it gives back is on the clock
of the simulation, as the coordinate ``time``; a duration has no origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import SAME_INSTANT
from carsim.errors import ScenarioError, unknown
from carsim.metrics import Metric

if TYPE_CHECKING:
    from carsim.model import Model

Array: TypeAlias = NDArray[np.float64]

# Two times closer than this (relative to the larger) are the same visit: grids are made by
# repeated addition, by `arange` and by reading TOML, which differ in the last bits.
SAME_TIME = 1e-9


@dataclass(frozen=True)
class Setting:
    """The simulation that an endpoint is asked about.

    Parameters
    ----------
    model : Model
        The model that is run.
    start, stop : float, model time unit
        Span of the simulation; the last stop, if patients have their own.
    infusion : float, model time unit
        When the CAR-T cells are given: endpoints count from it.
    """

    model: Model
    start: float
    stop: float
    infusion: float = 0.0


@dataclass(frozen=True)
class Requirements:
    """Saved values and metrics that an endpoint needs.

    Parameters
    ----------
    save_at : float64 array, shape (n_times,), model time unit
        Times at which the outputs must be saved, ascending.
    outputs : tuple of str
        Observables or states to save at these times.
    metrics : mapping of str to Metric
        Reductions that run inside the engine, under the names that `evaluate` looks up.
    shortened : frozenset of str
        Those of the metrics that count up to a patient's own stop if that comes before the end of
        their window. The others are NaN then.
    """

    save_at: Array = field(default_factory=lambda: np.empty(0))
    outputs: tuple[str, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=lambda: MappingProxyType({}))
    shortened: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Kept:
    """What was kept of a block of patients, for one endpoint.

    Parameters
    ----------
    setting : Setting
        What `requires` was told.
    stop : float64 array, shape (n,), model time unit
        Where each patient's simulation ends.
    times : float64 array, shape (n_times,), model time unit
        The times that were asked for.
    saved : mapping of str to float64 array, shape (n, n_times)
        Saved outputs; NaN beyond a patient's own stop, and from a failure on. Whatever an endpoint
        makes of a patient that failed, the result has NaN.
    metrics : mapping of str to float64 array, shape (n,)
        Metrics under the names given in `requires`; NaN where a patient's simulation does not cover
        the window.
    """

    setting: Setting
    stop: Array
    times: Array = field(default_factory=lambda: np.empty(0))
    saved: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    metrics: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def followed(self) -> NDArray[np.bool_]:
        """Patients whose simulation goes beyond the infusion, shape (n,)."""
        return np.asarray(self.stop > self.setting.infusion)

    @property
    def lived(self) -> NDArray[np.bool_]:
        """Times that are inside each patient's simulation, shape (n, n_times)."""
        slack = SAME_INSTANT * np.maximum(1.0, np.abs(self.times))
        return np.asarray(self.times - slack <= self.stop[:, np.newaxis])


@dataclass(frozen=True)
class EndpointValues:
    """One number a patient.

    Parameters
    ----------
    values : float64 array, shape (n,)
        NaN where the endpoint is not defined (failed patient, no event, not at risk).
    unit : str
        Unit of the values, spelt as in `carsim.units`; "1" for yes (1) or no (0).
    long_name : str
        Words for axes and tables.
    is_instant : bool
        Whether the values are times on the simulation's clock. A duration is not.
    """

    values: Array
    unit: str
    long_name: str
    is_instant: bool = False


@runtime_checkable
class Endpoint(Protocol):
    """What a scenario expects of an endpoint; any object with these two methods is one."""

    def requires(self, setting: Setting) -> Requirements:
        """Say what has to be saved.

        Parameters
        ----------
        setting : Setting
            The model that will be run, whose observables and units are checked; the span of the
            simulation, and the infusion.
        """
        ...

    def evaluate(self, kept: Kept) -> Mapping[str, EndpointValues]:
        """Turn what was kept of one block of patients into endpoint values.

        Parameters
        ----------
        kept : Kept
            What was asked for, and where each patient's simulation ends.

        Returns
        -------
        mapping of str to EndpointValues
            Variables of the result, shape (n,) each.
        """
        ...


def check_observables(
    who: str, model: Model, units: Mapping[str, str], *, time_unit: str = "day"
) -> None:
    """Check that the model has what the endpoint reads, in the unit its thresholds are in.

    Parameters
    ----------
    who : str
        Name of the endpoint, for the message.
    model : Model
        Model to be run.
    units : mapping of str to str
        Observable (or state) name to the unit that the endpoint's thresholds are in.
    time_unit : str
        Unit of the endpoint's times.

    Raises
    ------
    ScenarioError
        Unknown observable, another unit, or another time unit.
    """
    if model.time_unit != time_unit:
        raise ScenarioError(
            f"{who}: its times are in {time_unit}, but model '{model.name}' counts time in "
            f"{model.time_unit}. Use a model whose time unit is {time_unit}."
        )
    names = (*model.observable_names, *model.state_names)
    for name, unit in units.items():
        if name not in names:
            raise ScenarioError(unknown("output", name, names, f"{who}: model '{model.name}'"))
        given = model.unit_of(name)
        if given != unit:
            raise ScenarioError(
                f"{who}: its thresholds for '{name}' are in {unit}, but model '{model.name}' "
                f"gives '{name}' in {given}. Add an observable in {unit} to the model."
            )


def window(who: str, setting: Setting, length: float | None = None) -> float:
    """Last time of a window of the given length that opens at the infusion.

    Parameters
    ----------
    who : str
        Name of the endpoint, for the message.
    setting : Setting
        The simulation.
    length : float or None
        Length of the window; None up to the end of the simulation.

    Returns
    -------
    float
        Not beyond the end of the simulation.

    Raises
    ------
    ScenarioError
        The infusion is outside the simulation.
    """
    start, stop, first = setting.start, setting.stop, setting.infusion
    if not start <= first < stop:
        raise ScenarioError(
            f"{who}: it looks from day {first:g} on, but the simulation runs from day {start:g} "
            f"to day {stop:g}. Give the scenario an `infusion` inside it, or extend it."
        )
    return stop if length is None else min(stop, first + length)


def yes_no(happened: NDArray[np.bool_], undefined: NDArray[np.bool_]) -> Array:
    """Write an event as 1 and 0, and NaN where it is not defined."""
    return np.where(undefined, np.nan, np.where(happened, 1.0, 0.0))


def check_positive(who: str, **values: float) -> None:
    """Check that each value is a finite number above zero.

    Raises
    ------
    ScenarioError
        A value that is not.
    """
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ScenarioError(f"{who}: {name} = {value!r} must be a finite number above zero.")
