"""What a sweep keeps of each trajectory: endpoints, metrics, and what they need from the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carsim.endpoints import EndpointValues
from carsim.endpoints.requirements import SAME_TIME
from carsim.errors import ScenarioError
from carsim.metrics import Metric
from carsim.scenario import Scenario
from carsim.sweep.sweep import Sweep

Array = NDArray[np.float64]
RESERVED = ("patient", "point", "time", "status", "n_steps", "n_rejected")
#: Axes that draw other patients.
REDRAWN = ("population.seed", "population.sampling")


@dataclass(frozen=True)
class About:
    """Unit and words of a variable."""

    unit: str
    long_name: str


@dataclass(frozen=True)
class Needs:
    """What all endpoints together ask of the engine.

    Attributes
    ----------
    save_at : float64 array, shape (n_times,), model time unit
        All times at which any of them looks.
    outputs : tuple of str
        Observables and states to save then.
    metrics : dict of str to Metric
        The sweep's own metrics, and those of the endpoints under names of their own.
    names : dict of str to dict of str to str
        For each endpoint: the name it uses for a metric, to the name in `metrics`.
    """

    save_at: Array
    outputs: tuple[str, ...]
    metrics: dict[str, Metric]
    names: dict[str, dict[str, str]]


def needs_of(sweep: Sweep, scenario: Scenario) -> Needs:
    """Join what the endpoints need; what two of them need is computed once.

    Parameters
    ----------
    sweep : Sweep
        Whose endpoints.
    scenario : Scenario
        With the start and stop that hold.
    """
    metrics: dict[str, Metric] = dict(scenario.metrics)
    names: dict[str, dict[str, str]] = {}
    times: list[float] = []
    outputs: dict[str, None] = {}
    for endpoint, required in sweep.requirements(scenario).items():
        times.extend(np.asarray(required.save_at, dtype=np.float64).tolist())
        outputs.update(dict.fromkeys(required.outputs))
        names[endpoint] = {}
        for name, metric in required.metrics.items():
            same = [known for known, other in metrics.items() if other == metric]
            key = same[0] if same else f"{endpoint}:{name}"
            metrics[key] = metric
            names[endpoint][name] = key
    grid = np.unique(np.array(times, dtype=np.float64))
    if grid.size:
        # Two endpoints may reach the same visit by different sums.
        apart = np.diff(grid) > SAME_TIME * np.maximum(1.0, np.abs(grid[1:]))
        grid = grid[np.concatenate([[True], apart])]
    return Needs(grid, tuple(outputs), metrics, names)


def evaluate(
    sweep: Sweep,
    needs: Needs,
    times: Array,
    saved: Mapping[str, Array],
    metrics: Mapping[str, Array],
) -> dict[str, EndpointValues]:
    """Turn what the engine kept into the variables of the result.

    Parameters
    ----------
    sweep : Sweep
        Whose endpoints and metrics.
    needs : Needs
        What the engine was asked for.
    times : float64 array, shape (n_times,)
        Saved times.
    saved : mapping of str to float64 array, shape (n, n_times)
        Saved outputs.
    metrics : mapping of str to float64 array, shape (n,)
        Metrics by the names in `needs`.

    Returns
    -------
    dict of str to EndpointValues
        Each of shape (n,).
    """
    model = sweep.scenario.model
    values: dict[str, EndpointValues] = {}
    for name, metric in sweep.scenario.metrics.items():
        values[name] = EndpointValues(metrics[name], metric.unit(model), metric.words(model))
    for endpoint, item in sweep.endpoints.items():
        own = {name: metrics[key] for name, key in needs.names[endpoint].items()}
        for name, found in item.evaluate(saved, times, own).items():
            if name in values or name in RESERVED:
                raise ScenarioError(
                    f"endpoint '{endpoint}': the result has a variable '{name}' already. Give "
                    f"one of the endpoints another name."
                )
            values[name] = found
    return values


def variables_of(sweep: Sweep) -> dict[str, About]:
    """Names, units and words of everything that is kept, found without simulating.

    Parameters
    ----------
    sweep : Sweep
        Whose endpoints and metrics.
    """
    needs = needs_of(sweep, sweep.scenario)
    course = np.ones((1, len(needs.save_at)))
    found = evaluate(
        sweep,
        needs,
        needs.save_at,
        dict.fromkeys(needs.outputs, course),
        dict.fromkeys(needs.metrics, np.ones(1)),
    )
    axes = [axis.name for axis in sweep.design.axes]
    for name in found:
        if name in axes:
            raise ScenarioError(
                f"sweep: an axis and a variable of the result are both called '{name}'. Give the "
                f"axis another name."
            )
    return {name: About(values.unit, values.long_name) for name, values in found.items()}


def sampled_dims(sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """Dimensions of each sampled parameter beside ``patient``: the axes that change its draw.

    Parameters
    ----------
    sweep : Sweep
        Whose population.
    """
    population = sweep.scenario.population
    if population is None:
        return {}
    kept: dict[str, tuple[str, ...]] = {}
    for name in population.sampled:
        changing = [axis.name for axis in sweep.design.axes if _changes(sweep, axis.path, name)]
        if changing and sweep.design.dims == ("point",):
            changing = ["point"]
        kept[name] = tuple(changing)
    return kept


def label_dims(sweep: Sweep) -> tuple[str, ...] | None:
    """Dimensions of the mixture's label beside ``patient``; None if there is no such label."""
    population = sweep.scenario.population
    if population is None or population.mixture is None or sweep.membership is not None:
        return None
    changing = [axis.name for axis in sweep.design.axes if axis.path in REDRAWN]
    if changing and sweep.design.dims == ("point",):
        return ("point",)
    return tuple(changing)


def _changes(sweep: Sweep, path: str, name: str) -> bool:
    """Whether an axis changes the drawn values of a parameter."""
    scenario = sweep.scenario
    population = scenario.population
    assert population is not None
    family, _, rest = path.partition(".")
    components = () if population.mixture is None else population.mixture.components
    own = population.distributions.get(name)
    relative = (own is not None and own.relative) or any(
        part.distributions[name].relative for part in components if name in part.distributions
    )
    variants = scenario.model.variants
    if path in REDRAWN:
        return True
    if sweep.membership is not None and path == sweep.membership.path:
        moved = any(name in variants[v].values for part in components for v in part.variants)
        return any(name in part.distributions for part in components) or (relative and moved)
    if family == "population":
        return rest.startswith(f"parameters.{name}.")
    if family == "variants":
        members = [item for item in variants.values() if item.group == rest]
        return relative and any(name in item.values for item in members)
    return relative and family == "parameters" and rest == name
