"""Names, units and provenance for what the engine returned, and the way back."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.dataset.failures import describe_failure, summarize_failures
from carsim.dataset.provenance import provenance
from carsim.dataset.schema import (
    SOLVER_FACTS,
    Variables,
    build,
    describe_fact,
    describe_label,
    describe_number,
    described,
    given_coordinates,
)
from carsim.dataset.words import gives, words_of_actions
from carsim.endpoints import EndpointValues
from carsim.engine.plan import Trajectories
from carsim.engine.status import Status
from carsim.errors import CarsimError
from carsim.model import Model
from carsim.names import RESULT_NAMES
from carsim.scenario import Prepared, Scenario

if TYPE_CHECKING:
    import xarray as xr

SOLVER_VARIABLES = (*SOLVER_FACTS, "final_time")
EVENT_VARIABLES = ("event_patient", "event_time", "event_name", "event_action", "event_value")
REQUIRED_ATTRIBUTES = (
    *("carsim_version", "model", "model_hash", "scenario", "infusion", "solver", "rtol"),
)


def assemble(
    prepared: Prepared, trajectories: Trajectories, check: Trajectories | None = None
) -> xr.Dataset:
    """Turn what the engine returned into a result with names, units and provenance.

    Parameters
    ----------
    prepared : Prepared
        What was simulated.
    trajectories : Trajectories
        What the engine returned for all patients.
    check : Trajectories, optional
        The same with stricter tolerances; its difference is reported in the attributes.

    Returns
    -------
    xarray.Dataset
        See the schema above. A patient that failed is NaN everywhere, with a status other than 0.
    """
    ensemble = prepared.scenario.is_ensemble
    numbers = numbers_of(prepared, trajectories)
    variables: Variables = {
        **_outputs(prepared, trajectories, ensemble),
        **{
            name: _by_patient(each.values, ensemble, describe_number(each))
            for name, each in numbers.items()
        },
        **_solver_facts(prepared, trajectories, ensemble),
        **_event_log(prepared, trajectories),
        **_doses(prepared, trajectories, ensemble),
    }
    attributes = provenance(prepared.scenario, f"Simulation of {prepared.model.name}")
    if prepared.keep.note:
        attributes["note"] = prepared.keep.note
    if check is not None:
        attributes["tolerance_check"] = _compare(prepared, trajectories, check)
    coordinates = _coordinates(prepared, ensemble, variables)
    return build(variables, coordinates, attributes, _failures(prepared, trajectories))


def numbers_of(prepared: Prepared, trajectories: Trajectories) -> dict[str, EndpointValues]:
    """Metrics and endpoints of each patient, of one simulation or of a block of a sweep.

    Parameters
    ----------
    prepared : Prepared
        What was simulated.
    trajectories : Trajectories
        What the engine returned.

    Returns
    -------
    dict of str to EndpointValues
        Each of shape (n_patients,); NaN for a patient that failed.
    """
    failed = trajectories.status != Status.SUCCESS
    found = prepared.keep.evaluate(
        dict(zip(prepared.outputs, trajectories.saved, strict=True)),
        dict(zip(prepared.metrics, trajectories.metrics, strict=True)),
        np.broadcast_to(prepared.scenario.stop, failed.shape).astype(np.float64),
    )
    # Half a course would pass for a whole one.
    return {
        name: dataclasses.replace(each, values=np.where(failed, np.nan, each.values))
        for name, each in found.items()
    }


def _failures(prepared: Prepared, trajectories: Trajectories) -> str:
    failed = np.flatnonzero(trajectories.status != Status.SUCCESS)
    if failed.size == 0:
        return ""
    statuses = Counter(trajectories.status.tolist())
    first = describe_failure(prepared, trajectories, int(failed[0]))
    return summarize_failures(statuses, first)


def validate(dataset: xr.Dataset) -> None:
    """Check that a result follows the schema.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result of `simulate` or of a sweep, perhaps read back from a file.

    Raises
    ------
    CarsimError
        Everything that is wrong, one line each.
    """
    swept = "sweep" in dataset.attrs
    attributes = (*REQUIRED_ATTRIBUTES, "design") if swept else REQUIRED_ATTRIBUTES
    variables = tuple(SOLVER_FACTS) if swept else (*SOLVER_VARIABLES, *EVENT_VARIABLES)
    problems = [
        f"attribute {name!r} is missing" for name in attributes if name not in dataset.attrs
    ]
    problems.extend(
        f"variable {name!r} is missing" for name in variables if name not in dataset.variables
    )
    allowed = _allowed_dims(dataset, swept)
    for key, variable in dataset.data_vars.items():
        if variable.dims not in allowed:
            problems.append(f"variable {key!r} has dimensions {variable.dims}")
        problems.extend(
            f"variable {key!r} has no attribute {attribute!r}"
            for attribute in ("units", "carsim_units", "long_name")
            if variable.dtype.kind == "f" and attribute not in variable.attrs
        )
    if not problems:
        problems = _values_of_failed_patients(dataset)
    if problems:
        raise CarsimError("this is not a result of carsim: " + "; ".join(problems) + ".")


def _allowed_dims(dataset: xr.Dataset, swept: bool) -> list[tuple[Hashable, ...]]:
    """Dimensions that a variable may have: all those of a sweep, or those of a simulation."""
    if swept:
        return [tuple(dataset["status"].dims)] if "status" in dataset else []
    return [
        *((), ("patient",), ("time",), ("patient", "time"), ("event",)),
        *(("item",), ("patient", "item")),
    ]


def _values_of_failed_patients(dataset: xr.Dataset) -> list[str]:
    failed = dataset["status"] != int(Status.SUCCESS)
    return [
        f"variable {name!r} has values of failed patients"
        for name, variable in dataset.data_vars.items()
        if variable.dtype.kind == "f"
        and name not in SOLVER_VARIABLES
        and "event" not in variable.dims
        and bool(variable.where(failed).notnull().any())
    ]


def rebuild_scenario(
    attributes: Mapping[Any, Any],
    model: Model | None = None,
    endpoints: Mapping[str, type] | None = None,
) -> Scenario:
    """Rebuild the scenario of a result, so that it can be run again bit for bit.

    Parameters
    ----------
    attributes : mapping
        ``result.attrs``.
    model : Model, optional
        Model to use in place of the stored name, even if it is another one.
    endpoints : mapping of str to type, optional
        Classes of endpoints that do not come from carsim, by their names.

    Returns
    -------
    Scenario

    Raises
    ------
    CarsimError
        The attributes do not come from carsim.
    ScenarioError
        The model has changed since, or an endpoint's class is not known.
    """
    if "scenario" not in attributes:
        raise CarsimError(
            "there is no attribute 'scenario'. Give the attrs of a result that carsim made; "
            "arithmetic on a Dataset may drop them (xarray.set_options(keep_attrs=True))."
        )
    return Scenario.from_dict(json.loads(attributes["scenario"]), model, endpoints)


def _outputs(prepared: Prepared, trajectories: Trajectories, ensemble: bool) -> Variables:
    model, keep = prepared.model, prepared.keep
    failed = trajectories.status != Status.SUCCESS
    variables: Variables = {}
    for number, name in enumerate(keep.outputs):  # the first of those that were saved
        values = trajectories.saved[number]
        if len(keep.columns) < values.shape[1]:
            values = values[:, keep.columns]
        if failed.any():
            # Half a course would pass for a whole one in a maximum or a mean.
            values = np.where(failed[:, None], np.nan, values)
        attributes = described(model.unit_of(name), model.words_of(name))
        if ensemble:
            variables[name] = ("patient", "time"), values, attributes
        else:
            variables[name] = ("time",), values[0], attributes
    return variables


def _by_patient(
    values: NDArray[Any], ensemble: bool, attributes: dict[str, Any]
) -> tuple[tuple[str, ...], Any, dict[str, Any]]:
    return (("patient",), values, attributes) if ensemble else ((), values[0], attributes)


def _solver_facts(prepared: Prepared, trajectories: Trajectories, ensemble: bool) -> Variables:
    facts = {
        name: _by_patient(getattr(trajectories, name).astype(kind), ensemble, describe_fact(name))
        for name, (kind, _) in SOLVER_FACTS.items()
    }
    about = described(prepared.model.time_unit, "time reached", is_instant=True)
    return {**facts, "final_time": _by_patient(trajectories.final_time, ensemble, about)}


def _event_log(prepared: Prepared, trajectories: Trajectories) -> Variables:
    model = prepared.model
    capacity = trajectories.log_time.shape[1]
    kept = np.arange(capacity) < np.minimum(trajectories.log_count, capacity)[:, None]
    rows, _ = np.nonzero(kept)
    pools = [f"extinct:{name}" for name in reversed(model.state_names)]
    actions = [words_of_actions(prepared.scenario.items[name], model) for name in prepared.rules]
    # Rule k is k; state i going extinct is -1 - i, which Python counts from the end.
    events = trajectories.log_event[kept]
    event_names = np.array([*prepared.rules, *pools])[events]
    event_actions = np.array([*actions, *("" for _ in pools)])[events]
    lost = int(np.maximum(trajectories.log_count - capacity, 0).sum())
    about_names: dict[str, Any] = {"long_name": "rule or hazard, or pool that went extinct"}
    if lost:
        about_names["note"] = f"{lost} further firings did not fit into the log"
    value = {"units": "", "carsim_units": "", "long_name": "value that was seen"}
    return {
        "event_patient": (("event",), prepared.patients[rows], {"long_name": "patient"}),
        "event_time": (
            ("event",),
            trajectories.log_time[kept],
            described(model.time_unit, "time of the event", is_instant=True),
        ),
        "event_name": (("event",), event_names, about_names),
        "event_action": (("event",), event_actions, {"long_name": "what was done"}),
        "event_value": (("event",), trajectories.log_value[kept], value),
    }


def _doses(prepared: Prepared, trajectories: Trajectories, ensemble: bool) -> Variables:
    """Doses given and infusions begun, of the items and rules that give any."""
    names = (*prepared.items, *prepared.rules)
    giving = [k for k, name in enumerate(names) if gives(prepared.scenario.items[name])]
    if not giving:
        return {}
    given = trajectories.doses[:, giving]
    about = {"long_name": "doses given and infusions begun"}
    dims = ("patient", "item") if ensemble else ("item",)
    return {"doses_given": (dims, given if ensemble else given[0], about)}


def _coordinates(prepared: Prepared, ensemble: bool, variables: Variables) -> Variables:
    model, keep = prepared.model, prepared.keep
    coordinates: Variables = {}
    if keep.outputs:
        about = {**described(model.time_unit, "time", is_instant=True), "axis": "T"}
        coordinates["time"] = ("time",), np.array(keep.times), about
    if "doses_given" in variables:
        names = (*prepared.items, *prepared.rules)
        giving = [name for name in names if gives(prepared.scenario.items[name])]
        coordinates["item"] = ("item",), np.array(giving), {"long_name": "item of the therapy"}
    if not ensemble:
        return coordinates
    coordinates["patient"] = ("patient",), prepared.patients, {"long_name": "virtual patient"}
    for name, labels in prepared.labels.items():
        coordinates[name] = ("patient",), labels.astype(object), describe_label(name)
    for name, values in prepared.sampled.items():
        attributes = described(model.unit_of(name), model.words_of(name))
        taken = name in variables or name in coordinates or name in RESULT_NAMES
        key = f"parameter:{name}" if taken else name
        coordinates[key] = ("patient",), np.array(values), attributes
    for name, (values, about) in given_coordinates(prepared.scenario).items():
        coordinates[name] = ("patient",), values, about
    return coordinates


def _compare(prepared: Prepared, coarse: Trajectories, fine: Trajectories) -> str:
    """Largest difference of each saved output and metric, relative to its own size."""
    differences = {}
    pairs = [
        *zip(prepared.outputs, coarse.saved, fine.saved, strict=True),
        *zip(prepared.metrics, coarse.metrics, fine.metrics, strict=True),
    ]
    for name, one, other in pairs:
        both = np.isfinite(one) & np.isfinite(other)
        largest = float(np.max(np.abs(other[both]), initial=0.0))
        apart = float(np.max(np.abs(one[both] - other[both]), initial=0.0))
        if (np.isfinite(one) != np.isfinite(other)).any():
            # A crossing that one of them does not have.
            apart = max(apart, largest, 1.0 if largest == 0.0 else 0.0)
        differences[name] = apart / largest if largest else apart
    worst = max(differences, key=lambda name: differences[name], default="")
    text = f"against stricter tolerances: largest difference {differences.get(worst, 0.0):.2g}"
    return f"{text} of the largest {worst}" if worst else text
