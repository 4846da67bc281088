"""Names, units and provenance for what the engine returned, and the way back."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim._version import __version__
from carsim.dataset.failures import summarize_failures
from carsim.dataset.words import gives, words_of_actions
from carsim.engine.plan import Trajectories
from carsim.engine.status import Status
from carsim.errors import CarsimError
from carsim.model import Cited, Model
from carsim.scenario import Prepared, Scenario
from carsim.units import udunits

if TYPE_CHECKING:
    import xarray as xr

Variables = dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]

SOLVER_VARIABLES = ("status", "n_steps", "n_rejected", "final_time")
EVENT_VARIABLES = ("event_patient", "event_time", "event_name", "event_action", "event_value")
REQUIRED_ATTRIBUTES = ("carsim_version", "model", "model_hash", "scenario", "solver", "rtol")


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
    import xarray as xr

    ensemble = prepared.scenario.is_ensemble
    variables: Variables = {
        **_outputs(prepared, trajectories, ensemble),
        **_metrics(prepared, trajectories, ensemble),
        **_solver_facts(prepared, trajectories, ensemble),
        **_event_log(prepared, trajectories),
        **_doses(prepared, trajectories, ensemble),
    }
    attributes = _attributes(prepared)
    failures = summarize_failures(prepared, trajectories)
    if failures:
        attributes["failures"] = failures
    if prepared.note:
        attributes["note"] = prepared.note
    if check is not None:
        attributes["tolerance_check"] = _compare(prepared, trajectories, check)
    coordinates = _coordinates(prepared, ensemble, variables)
    return xr.Dataset(variables, coordinates, attributes)


def validate(dataset: xr.Dataset) -> None:
    """Check that a result follows the schema.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result of `simulate`, perhaps read back from a file.

    Raises
    ------
    CarsimError
        Everything that is wrong, one line each.
    """
    problems = [
        f"attribute {name!r} is missing"
        for name in REQUIRED_ATTRIBUTES
        if name not in dataset.attrs
    ]
    problems.extend(
        f"variable {name!r} is missing"
        for name in (*SOLVER_VARIABLES, *EVENT_VARIABLES)
        if name not in dataset.variables
    )
    for key, variable in dataset.data_vars.items():
        allowed = [
            *((), ("patient",), ("time",), ("patient", "time"), ("event",)),
            *(("item",), ("patient", "item")),
        ]
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


def rebuild_scenario(attributes: Mapping[Any, Any], model: Model | None = None) -> Scenario:
    """Rebuild the scenario of a result, so that it can be run again bit for bit.

    Parameters
    ----------
    attributes : mapping
        ``result.attrs``.
    model : Model, optional
        Model to use in place of the stored name, even if it is another one.

    Returns
    -------
    Scenario

    Raises
    ------
    CarsimError
        The attributes do not come from carsim.
    ScenarioError
        The model has changed since.
    """
    if "scenario" not in attributes:
        raise CarsimError(
            "there is no attribute 'scenario'. Give the attrs of a result that carsim made; "
            "arithmetic on a Dataset may drop them (xarray.set_options(keep_attrs=True))."
        )
    return Scenario.from_dict(json.loads(attributes["scenario"]), model)


def _described(unit: str, words: str) -> dict[str, Any]:
    return {"units": udunits(unit), "carsim_units": unit, "long_name": words}


def _outputs(prepared: Prepared, trajectories: Trajectories, ensemble: bool) -> Variables:
    model = prepared.model
    failed = trajectories.status != Status.SUCCESS
    variables: Variables = {}
    for number, name in enumerate(prepared.outputs):
        values = trajectories.saved[number]
        if failed.any():
            # Half a course would pass for a whole one in a maximum or a mean.
            values = np.where(failed[:, None], np.nan, values)
        attributes = _described(model.unit_of(name), model.words_of(name))
        if ensemble:
            variables[name] = ("patient", "time"), values, attributes
        else:
            variables[name] = ("time",), values[0], attributes
    return variables


def _metrics(prepared: Prepared, trajectories: Trajectories, ensemble: bool) -> Variables:
    failed = trajectories.status != Status.SUCCESS
    variables: Variables = {}
    for number, (name, metric) in enumerate(prepared.metrics.items()):
        values = np.where(failed, np.nan, trajectories.metrics[number])
        attributes = _described(metric.unit(prepared.model), metric.words(prepared.model))
        variables[name] = _by_patient(values, ensemble, attributes)
    return variables


def _by_patient(
    values: NDArray[Any], ensemble: bool, attributes: dict[str, Any]
) -> tuple[tuple[str, ...], Any, dict[str, Any]]:
    return (("patient",), values, attributes) if ensemble else ((), values[0], attributes)


def _solver_facts(prepared: Prepared, trajectories: Trajectories, ensemble: bool) -> Variables:
    codes = sorted(Status)
    flags = {
        "long_name": "how the integration ended",
        "flag_values": np.array([int(code) for code in codes], dtype=np.int64),
        "flag_meanings": " ".join(code.name.lower() for code in codes),
    }
    unit = prepared.model.time_unit
    facts: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
        "status": (trajectories.status, flags),
        "n_steps": (trajectories.n_steps, {"long_name": "accepted steps"}),
        "n_rejected": (trajectories.n_rejected, {"long_name": "rejected steps"}),
        "final_time": (trajectories.final_time, _described(unit, "time reached")),
    }
    return {name: _by_patient(values, ensemble, attrs) for name, (values, attrs) in facts.items()}


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
            _described(model.time_unit, "time of the event"),
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
    model = prepared.model
    coordinates: Variables = {}
    if prepared.outputs:
        about = {**_described(model.time_unit, "time"), "axis": "T"}
        coordinates["time"] = ("time",), np.array(prepared.save.times), about
    if "doses_given" in variables:
        names = (*prepared.items, *prepared.rules)
        giving = [name for name in names if gives(prepared.scenario.items[name])]
        coordinates["item"] = ("item",), np.array(giving), {"long_name": "item of the therapy"}
    if not ensemble:
        return coordinates
    coordinates["patient"] = ("patient",), prepared.patients, {"long_name": "virtual patient"}
    for name, labels in prepared.labels.items():
        coordinates[name] = ("patient",), labels, {"long_name": name}
    for name, values in prepared.sampled.items():
        attributes = _described(model.unit_of(name), model.words_of(name))
        taken = name in variables or name in coordinates
        key = f"parameter:{name}" if taken else name
        coordinates[key] = ("patient",), np.array(values), attributes
    for name, given in prepared.scenario.initial.items():
        if isinstance(given, np.ndarray):
            attributes = _described(model.unit_of(name), f"initial {model.words_of(name)}")
            coordinates[f"initial.{name}"] = ("patient",), np.array(given), attributes
    stop = prepared.scenario.stop
    if isinstance(stop, np.ndarray):
        attributes = _described(model.time_unit, "end of the simulation")
        coordinates["simulation_stop"] = ("patient",), np.array(stop), attributes
    for item, entry in prepared.scenario.therapy.items():
        for field, values in entry.arrays().items():
            if values.ndim == 1:
                about = {"long_name": f"{field} of {item}"}
                coordinates[f"therapy.{item}.{field}"] = ("patient",), np.array(values), about
    return coordinates


def _attributes(prepared: Prepared) -> dict[str, Any]:
    scenario, model = prepared.scenario, prepared.model
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "numba", "xarray")}
    attributes: dict[str, Any] = {
        "title": f"Simulation of {model.name}",
        "carsim_version": __version__,
        "model": model.name,
        "model_hash": model.hash,
        "model_reference": model.reference,
        "references": " ".join(_cited(model)),
        "scenario": scenario.to_json(),
        "solver": scenario.solver.method,
        "rtol": scenario.solver.rtol,
        "versions": json.dumps(versions),
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    return {name: value for name, value in attributes.items() if value != ""}


def _cited(model: Model) -> list[str]:
    sources = [
        *(state.provenance for state in model.states),
        *(parameter.provenance for parameter in model.parameters),
    ]
    dois = (f"doi:{source.doi}" for source in sources if isinstance(source, Cited))
    return list(dict.fromkeys(dois))


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
