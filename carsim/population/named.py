"""Virtual populations that come with a model, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from carsim.errors import ScenarioError, unknown
from carsim.model import Model
from carsim.population.cohort import Population

__all__ = ["NamedPopulation", "named_population", "named_populations"]


@dataclass(frozen=True)
class NamedPopulation:
    """A documented way to put virtual patients together.

    Parameters
    ----------
    words : str
        Who these patients are.
    make : callable
        ``make(size, seed, **options)`` returns the `Population`.
    options : tuple of str
        Names of the options that `make` takes.
    """

    words: str
    make: Callable[..., Population]
    options: tuple[str, ...] = ()


def named_populations(model: Model) -> Mapping[str, NamedPopulation]:
    """Populations that a model offers, by name; their module is imported only now."""
    if not model.populations:
        return {}
    found: Mapping[str, NamedPopulation] = importlib.import_module(model.populations).POPULATIONS
    return found


def named_population(
    model: Model, name: str, /, size: int, seed: int = 0, **options: object
) -> Population:
    """Return one of a model's populations.

    Parameters
    ----------
    model : Model
        Model that offers it.
    name : str
        Name, see `named_populations`.
    size, seed : int
        Number of patients, root of all random numbers.
    **options
        Options of this population.

    Raises
    ------
    ScenarioError
        The model has no such population, or the population no such option.
    """
    offered = named_populations(model)
    if name not in offered:
        raise ScenarioError(unknown("population", name, offered, f"model '{model.name}'"))
    chosen = offered[name]
    for option in options:
        if option not in chosen.options:
            raise ScenarioError(unknown("option", option, chosen.options, f"population '{name}'"))
    return chosen.make(size, seed, **options)
