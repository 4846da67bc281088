"""What the path of an axis stands for: which value of the scenario, in which unit, how applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from carsim.design import Axis
from carsim.design.axis import Column
from carsim.errors import CarsimError, ScenarioError, unknown
from carsim.scenario import Scenario
from carsim.scenario.replace import replaced as put
from carsim.scenario.replace import value_at
from carsim.therapy import Item
from carsim.therapy.values import FloatArray, per_patient_fields

FIXED = (
    *("model", "population.size", "save_at", "outputs", "ids", "check_tolerance"),
    "solver.threads",
)
WHOLE = ("population.seed", "solver.max_steps", "solver.block_size")
INSTANTS = ("at", "start", "stop", "until")
TIMES = ("at", "start", "stop", "duration", "every", "until", "lag", "delay", "spacing", "wait")


def is_vector(scenario: Scenario, axis: Axis) -> bool:
    """Whether cells that differ in this axis can be solved together, one number a trajectory."""
    family, _, rest = axis.path.partition(".")
    if isinstance(axis.at(np.zeros(1))[0], str):
        return False
    if family == "therapy":
        return takes_arrays(scenario, rest)
    return family in ("parameters", "initial")


def is_membership(scenario: Scenario, path: str) -> bool:
    """Whether an axis runs over the components of the population's mixture."""
    population = scenario.population
    return (
        population is not None
        and population.mixture is not None
        and path == f"population.{population.mixture.name}"
    )


def takes_arrays(scenario: Scenario, rest: str) -> bool:
    """Whether a field of a therapy item, or of a part of it, can differ between patients."""
    part, field = therapy_part(scenario, rest)
    return part is not None and field in per_patient_fields(part)


def therapy_part(scenario: Scenario, rest: str) -> tuple[Item | None, str]:
    """Find an item, or a part of one such as the first thing that a rule does, and its field."""
    part: Any = scenario.therapy
    *path, field = rest.split(".")
    for key in path:
        if isinstance(part, Mapping):
            part = part.get(key)
        elif isinstance(part, tuple):
            part = part[int(key)] if key.isdecimal() and int(key) < len(part) else None
        else:
            part = getattr(part, key, None)
    return part if isinstance(part, Item) else None, field


def replaced(scenario: Scenario, path: str, value: Any) -> Scenario:
    """Return the scenario with one value of an axis put in.

    Parameters
    ----------
    scenario : Scenario
        Scenario of the sweep.
    path : str
        Path of the axis.
    value : float or str
        One of its values.
    """
    if path in FIXED:
        raise ScenarioError(
            f"'{path}' is the same in all cells of a sweep. Vary something else, or run two sweeps."
        )
    if isinstance(value, np.generic):
        value = value.item()
    family, _, group = path.partition(".")
    if family == "variants":
        return _with_variant(scenario, group, value)
    if path in WHOLE and isinstance(value, float) and value.is_integer():
        value = int(value)
    return scenario.replace(path, value)


def check_axis(scenario: Scenario, axis: Axis) -> None:
    """Try an axis out: its path, and its values or their ends.

    Parameters
    ----------
    scenario : Scenario
        Scenario of the sweep.
    axis : Axis
        An axis of its design.
    """
    for value in ends_of(axis):
        try:
            replaced(scenario, axis.path, value)
        except CarsimError as error:
            raise ScenarioError(f"axis '{axis.path}' at {value!r}: {error}") from error


def ends_of(axis: Axis) -> list[Any]:
    """Lowest and highest value of an axis; all of them if they are texts."""
    if axis.values is None:
        return list(axis.at(np.array([0.0, 1.0])).tolist())
    if isinstance(axis.values[0], str):
        return list(axis.values)
    numbers = [float(value) for value in axis.values]
    return [min(numbers), max(numbers)]


def value_of(scenario: Scenario, path: str) -> object:
    """Value that the scenario itself gives to what an axis varies.

    Parameters
    ----------
    scenario : Scenario
        Scenario of the sweep.
    path : str
        Path of the axis.

    Returns
    -------
    object
        Of a parameter also that of its variants or of the model; None where nothing is given.
    """
    family, _, rest = path.partition(".")
    names = scenario.model.parameter_names
    if family == "parameters" and rest in names and rest not in scenario.parameters:
        return float(scenario.model.parameter_values({}, scenario.variants)[0, names.index(rest)])
    return value_at(scenario, path)


def is_instant(path: str) -> bool:
    """Whether the values of an axis are times on the simulation's clock."""
    family, _, rest = path.partition(".")
    if family == "therapy":
        return rest.rpartition(".")[2] in INSTANTS
    return path in ("start", "stop", "infusion")


def unit_of(scenario: Scenario, path: str) -> str:
    """Unit of the values of an axis; an empty text if they are labels."""
    family, _, rest = path.partition(".")
    model = scenario.model
    if path in ("start", "stop", "infusion"):
        return model.time_unit
    if family in ("parameters", "initial"):
        return model.unit_of(rest)
    if family == "therapy":
        part, field = therapy_part(scenario, rest)
        return "" if part is None else _unit_of_field(scenario, part, field)
    if family == "population":
        parts = rest.split(".")
        name, setting = ".".join(parts[1:-1]), parts[-1]
        if parts[0] == "parameters" and setting not in ("cv", "sigma", "alpha", "beta"):
            return model.unit_of(name)
        words = is_membership(scenario, path) or path == "population.sampling"
        return "" if words else "1"
    return "" if family == "variants" else "1"


def words_of(scenario: Scenario, axis: Axis) -> str:
    """Words for an axis: its own label, or what the model says about it."""
    if axis.label:
        return axis.label
    family, _, rest = axis.path.partition(".")
    if family in ("parameters", "initial"):
        return scenario.model.words_of(rest)
    return axis.path.removeprefix(f"{family}.").replace(".", " ").replace("_", " ")


def put_vectors(
    scenario: Scenario, columns: Mapping[str, Column], patients: Any
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Item]]:
    """Values of many trajectories side by side.

    Parameters
    ----------
    scenario : Scenario
        Scenario whose arrays hold one number a patient.
    columns : mapping of str to array, shape (n,)
        Values of the axes that vary between the trajectories, by path.
    patients : int64 array, shape (n,)
        Patient of each trajectory.

    Returns
    -------
    tuple of three dicts
        Parameters, initial values and therapy of the n trajectories.
    """
    parameters: dict[str, float | FloatArray] = _taken(scenario.parameters, patients)
    initial: dict[str, float | FloatArray] = _taken(scenario.initial, patients)
    therapy: dict[str, Item] = {
        name: item.select(patients) for name, item in scenario.therapy.items()
    }
    for path, column in columns.items():
        values = np.asarray(column, dtype=np.float64)
        family, _, rest = path.partition(".")
        if family == "parameters":
            parameters[rest] = values
        elif family == "initial":
            initial[rest] = values
        else:
            therapy = put(therapy, rest, values, "therapy")
    return parameters, initial, therapy


def _with_variant(scenario: Scenario, group: str, value: object) -> Scenario:
    variants = scenario.model.variants
    groups = dict.fromkeys(item.group for item in variants.values() if item.group is not None)
    who = f"model '{scenario.model.name}'"
    if group not in groups:
        raise ScenarioError(unknown("group of variants", group, groups, who))
    members = [name for name, item in variants.items() if item.group == group]
    if value not in members:
        raise ScenarioError(unknown(f"variant of group '{group}'", str(value), members, who))
    others = [name for name in scenario.variants if variants[name].group != group]
    _check_overruled(scenario, str(value))
    return dataclasses.replace(scenario, variants=(*others, str(value)))


def _check_overruled(scenario: Scenario, variant: str) -> None:
    """Refuse an axis that something more specific would silently undo."""
    population = scenario.population
    for name in () if population is None else scenario.model.variants[variant].values:
        assert population is not None
        own = population.distributions.get(name)
        if own is not None and not own.relative:
            raise ScenarioError(
                f"the variant sets '{name}', but the population's {own.kind} distribution "
                f"overrules it. Leave out the median: the spread is then around the variant's."
            )


def _unit_of_field(scenario: Scenario, item: Item, field: str) -> str:
    model = scenario.model
    if field in TIMES:
        return model.time_unit
    if field == "months":
        return "month"
    into = getattr(item, "into", None)
    if field == "amount" and into is not None:
        return model.dose_unit(into)
    if field == "rate" and into is not None:
        return f"{model.dose_unit(into)}/{model.time_unit}"
    target = getattr(item, "parameter", None) or getattr(item, "when", None)
    if field in ("value", "above", "below") and target is not None:
        return model.unit_of(target)
    return "" if field in ("into", "parameter", "when") else "1"


def _taken(values: Mapping[str, Any], patients: Any) -> dict[str, Any]:
    return {
        name: value[patients] if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }
