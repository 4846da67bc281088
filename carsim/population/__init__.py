"""How virtual patients differ: distributions, correlations, kinds of patients, drawn cohorts."""

from __future__ import annotations

from carsim.population.cohort import Cohort, Population
from carsim.population.distribution import Distribution
from carsim.population.distributions import (
    DISTRIBUTIONS,
    Beta,
    Constant,
    LogitNormal,
    LogNormal,
    LogUniform,
    Normal,
    TruncatedNormal,
    Uniform,
)
from carsim.population.mixture import Component, Mixture
from carsim.population.named import NamedPopulation, named_population, named_populations
from carsim.streams import check_seed, uniforms

__all__ = [
    "DISTRIBUTIONS",
    "Beta",
    "Cohort",
    "Component",
    "Constant",
    "Distribution",
    "LogNormal",
    "LogUniform",
    "LogitNormal",
    "Mixture",
    "NamedPopulation",
    "Normal",
    "Population",
    "TruncatedNormal",
    "Uniform",
    "check_seed",
    "named_population",
    "named_populations",
    "uniforms",
]
