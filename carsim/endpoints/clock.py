"""One clock for all times of a result, and the check that times which are compared are on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from carsim.endpoints.requirements import Array
from carsim.errors import ScenarioError

if TYPE_CHECKING:
    import xarray as xr

T = TypeVar("T", float, Array)

CLOCK = "simulation"
"""Attribute ``clock`` of every variable that holds times: that of the coordinate ``time``."""

INFUSION = "infusion"
"""Attribute of a result, and path of an axis that varies it."""


def check_clock(who: str, dataset: xr.Dataset, *variables: str) -> str:
    """Check that times which will be compared are on one clock.

    Parameters
    ----------
    who : str
        Who compares them, for the message.
    dataset : xarray.Dataset
        Holds the variables.
    *variables : str
        Their names.

    Returns
    -------
    str
        The clock.

    Raises
    ------
    ScenarioError
        A variable does not say its clock, or they say different ones.
    """
    clocks: dict[str, str] = {}
    for name in variables:
        clock = dataset[name].attrs.get("clock")
        if not isinstance(clock, str) or not clock:
            raise ScenarioError(
                f"{who}: '{name}' does not say on which clock its times are (attribute 'clock'), "
                f"so they cannot be compared. If they are times of the simulation, say so: "
                f"dataset['{name}'].attrs['clock'] = '{CLOCK}'. A result of an older version "
                f"counts some times from the infusion: run it again."
            )
        clocks[name] = clock
    return same_clock(who, clocks)


def same_clock(who: str, clocks: Mapping[str, str]) -> str:
    """Check that all of some clocks are the same.

    Parameters
    ----------
    who : str
        Who compares the times, for the message.
    clocks : mapping of str to str
        What is on which clock.

    Returns
    -------
    str
        The clock.
    """
    first, clock = next(iter(clocks.items()))
    for name, other in clocks.items():
        if other != clock:
            raise ScenarioError(
                f"{who}: '{first}' is on the clock '{clock}', but '{name}' is on '{other}': their "
                f"times cannot be compared. Bring them to one clock, and say so in the attribute "
                f"'clock'."
            )
    return clock


def clock_of(times: object) -> str | None:
    """Clock of times that may say one: a DataArray with the attribute; None for plain numbers."""
    attributes: Any = getattr(times, "attrs", None)
    clock = None if attributes is None else attributes.get("clock")
    return clock if isinstance(clock, str) and clock else None


def since_infusion(variable: xr.DataArray, values: T, infusion: float | Array) -> T | Array:
    """Values of a variable as they are shown: times count from the infusion, others stay.

    Parameters
    ----------
    variable : xarray.DataArray
        Says in its attributes whether it holds times.
    values : float or array
        Some of its values.
    infusion : float or array
        Day of the infusion, on the simulation's clock.
    """
    return values - infusion if variable.attrs.get("clock") == CLOCK else values


def infusion_of(dataset: xr.Dataset) -> float:
    """Day of the infusion on the simulation's clock.

    Parameters
    ----------
    dataset : xarray.Dataset
        A result, or a cell of a sweep.

    Returns
    -------
    float
        0 for a dataset that does not say.

    Raises
    ------
    ScenarioError
        It is the axis of a sweep, and no value was chosen.
    """
    for name, each in dataset.coords.items():
        if each.attrs.get("path") == INFUSION:
            if each.ndim:
                raise ScenarioError(
                    f"the infusion differs along '{name}', so that days since the infusion are "
                    f"other days. Choose one value first: dataset.isel({name}=0)."
                )
            return float(each)
    if INFUSION in dataset.attrs:
        return float(dataset.attrs[INFUSION])
    # Derived datasets keep the scenario longer than single attributes.
    return float(json.loads(dataset.attrs.get("scenario", "{}")).get(INFUSION, 0.0))
