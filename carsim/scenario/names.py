"""The names of a result, computed from what is simulated, so that none is taken twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carsim.errors import ScenarioError
from carsim.names import RESULT_NAMES, free_name
from carsim.scenario.keep import Keep

if TYPE_CHECKING:
    from carsim.scenario.scenario import Scenario


def result_names(scenario: Scenario, keep: Keep, *, courses: bool = True) -> dict[str, str]:
    """All names that a result uses, and what stands under them.

    A parameter that the population draws is not among them: its coordinate is called
    ``parameter:NAME`` where its name is taken.

    Parameters
    ----------
    scenario : Scenario
        What is simulated.
    keep : Keep
        What is kept of it.
    courses : bool
        Whether observables and states count, saved or not; a sweep keeps no courses.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ScenarioError
        Two things would have the same name; with one that is free.
    """
    model = scenario.model
    taken = dict(RESULT_NAMES)
    outputs = (("state", model.state_names), ("observable", model.observable_names))
    for kind, names in outputs if courses else ():
        for name in names:
            _claim(taken, name, f"the {kind}", f"model {model.name!r}: its {kind}")
    population = scenario.population
    if population is not None and population.mixture is not None:
        taken[population.mixture.name] = "the mixture of the population"
    for name in _coordinates(scenario):
        _claim(taken, name, "a value that differs between patients", "the coordinate")
    for part, numbers in zip(keep.parts, keep.described, strict=True):
        where = part.where
        kind = "a metric" if where.startswith("metrics.") else f"a variable of {where}"
        for name in numbers:
            if name not in taken:
                taken[name] = kind
                continue
            free = free_name(name, taken)
            if where == f"metrics.{name}":
                raise ScenarioError(
                    f"{where}: the result already has a variable {name!r} ({taken[name]}). Choose "
                    f"another name, for example {free!r}."
                )
            raise ScenarioError(
                f"{where}: the result has a variable '{name}' already ({taken[name]}). Give one "
                f"of the two another name, for example {free!r}."
            )
    return taken


def _claim(taken: dict[str, str], name: str, kind: str, who: str) -> None:
    if name in taken:
        raise ScenarioError(
            f"{who} {name!r} cannot be named so: the result has a variable of this name already "
            f"({taken[name]}). Choose another, for example {free_name(name, taken)!r}."
        )
    taken[name] = f"{kind} {name!r}"


def _coordinates(scenario: Scenario) -> list[str]:
    """Coordinates on the patients, named after where in the scenario they are given."""
    initial = [
        f"initial.{name}"
        for name, given in scenario.initial.items()
        if isinstance(given, np.ndarray)
    ]
    therapy = [
        f"therapy.{item}.{field}"
        for item, entry in scenario.therapy.items()
        for field, values in entry.arrays().items()
        if values.ndim == 1
    ]
    return [*initial, *therapy]
