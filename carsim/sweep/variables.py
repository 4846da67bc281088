"""Along which axes the patients' own values differ: drawn parameters, and labels of a mixture."""

from __future__ import annotations

from carsim.sweep.sweep import Sweep

#: Axes that draw other patients.
REDRAWN = ("population.seed", "population.sampling")


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
