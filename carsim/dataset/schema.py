"""What the arrays of a result are like: types, fills, attributes; of simulations and of sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.endpoints import EndpointValues
from carsim.endpoints.clock import CLOCK
from carsim.engine.status import Status
from carsim.units import udunits

if TYPE_CHECKING:
    import xarray as xr

    from carsim.scenario import Scenario

Variables: TypeAlias = dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]

NUMBER, COUNT, CODE = np.dtype(np.float64), np.dtype(np.int32), np.dtype(np.int16)
#: Type of each fact about the integration, and what stands there before a patient is simulated.
SOLVER_FACTS: Mapping[str, tuple[np.dtype[Any], int]] = {
    "status": (CODE, int(Status.NOT_RUN)),
    "n_steps": (COUNT, 0),
    "n_rejected": (COUNT, 0),
}


def described(unit: str, words: str, *, is_instant: bool = False) -> dict[str, Any]:
    """Attributes of a variable: UDUNITS, the model's own spelling, words, and the clock of a time.

    Parameters
    ----------
    unit : str
        Unit as in the model.
    words : str
        Words for axes and tables.
    is_instant : bool
        Whether the values are times on the simulation's clock.
    """
    attributes = {"units": udunits(unit), "carsim_units": unit, "long_name": words}
    return {**attributes, "clock": CLOCK} if is_instant else attributes


def describe_number(values: EndpointValues) -> dict[str, Any]:
    """Attributes of a metric, or of a variable of an endpoint."""
    return described(values.unit, values.long_name, is_instant=values.is_instant)


def describe_label(name: str) -> dict[str, Any]:
    """Attributes of the labels that a mixture gives to the patients."""
    return {"long_name": name.replace("_", " ")}


def describe_fact(name: str) -> dict[str, Any]:
    """Attributes of one of `SOLVER_FACTS`."""
    if name != "status":
        words = {"n_steps": "accepted steps", "n_rejected": "rejected steps"}[name]
        return {"units": "1", "long_name": words}
    codes = sorted(Status)
    return {
        "long_name": "how the integration ended",
        "flag_values": np.array([int(code) for code in codes], dtype=CODE),
        "flag_meanings": " ".join(code.name.lower() for code in codes),
    }


def given_coordinates(scenario: Scenario) -> dict[str, tuple[NDArray[Any], dict[str, Any]]]:
    """Everything in a scenario that differs between patients and is not drawn.

    Parameters
    ----------
    scenario : Scenario
        What is simulated.

    Returns
    -------
    dict of str to (array, attributes)
        One value a patient, by the name of its coordinate: labels, initial values, own stops, and
        fields of the therapy.
    """
    model = scenario.model
    found: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {}
    if scenario.ids is not None:
        found["id"] = np.array(scenario.ids, dtype=object), {"long_name": "label of the patient"}
    for name, given in scenario.initial.items():
        if isinstance(given, np.ndarray):
            about = described(model.unit_of(name), f"initial {model.words_of(name)}")
            found[f"initial.{name}"] = np.array(given), about
    if isinstance(scenario.stop, np.ndarray):
        about = described(model.time_unit, "end of the simulation", is_instant=True)
        found["simulation_stop"] = np.array(scenario.stop), about
    for item, entry in scenario.therapy.items():
        for field, values in entry.arrays().items():
            if values.ndim == 1:
                about = {"long_name": f"{field} of {item}"}
                found[f"therapy.{item}.{field}"] = np.array(values), about
    return found


def build(
    variables: Variables, coordinates: Variables, attributes: Mapping[str, Any], failures: str
) -> xr.Dataset:
    """Put arrays, names, units and provenance together; simulations and sweeps end here.

    Parameters
    ----------
    variables, coordinates : dict of str to (dims, array, attributes)
        What the result holds.
    attributes : mapping of str to object
        How it was made, see `carsim.dataset.provenance`.
    failures : str
        Words about patients that failed; empty if none did.
    """
    import xarray as xr

    failed = {"failures": failures} if failures else {}
    return xr.Dataset(variables, coordinates, {**attributes, **failed})
