"""Whether a population fits its model: bounds of parameters, groups of variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError
from carsim.population.distribution import Distribution
from carsim.population.distributions import Constant, LogNormal, TruncatedNormal

if TYPE_CHECKING:
    from carsim.model import Model, ParameterField

Array: TypeAlias = NDArray[np.float64]


def check_groups(where: str, model: Model, variant: str, others: Sequence[str]) -> None:
    """Refuse a component's variant that excludes one of the scenario's."""
    group = model.variants[variant].group
    for other in others:
        if other == variant or other not in model.variants or group is None:
            continue
        if model.variants[other].group == group:
            raise ScenarioError(
                f"{where}: variant '{variant}' and the scenario's variant '{other}' are both of "
                f"the group '{group}' and exclude each other. Remove one."
            )


def check_support(
    where: str,
    parameter: ParameterField,
    distribution: Distribution,
    centers: Array,
    largest_score: float,
) -> None:
    """Refuse a distribution that could draw a value beyond the parameter's bounds."""
    name = parameter.name
    if parameter.computed:
        raise ScenarioError(
            f"{where}: '{name}' is computed by the model from other parameters. Vary those."
        )
    with np.errstate(over="ignore"):
        ends = [
            distribution.values(np.full(centers.shape, score), centers)
            for score in (-largest_score, largest_score)
        ]
    low, high = float(np.min(ends)), float(np.max(ends))
    if not np.isfinite([low, high]).all():
        raise ScenarioError(
            f"{where}: the {distribution.kind} distribution of '{name}' is so wide that it can "
            f"draw {high:g} {parameter.unit}. Make it narrower."
        )
    if parameter.lower <= low and high <= parameter.upper:
        return
    bounds = f"{parameter.lower:g} to {parameter.upper:g} {parameter.unit}"
    if isinstance(distribution, Constant):
        raise ScenarioError(f"{where}: {name} = {low:g} lies outside its bounds ({bounds}).")
    beyond = "below" if low < parameter.lower else "above"
    advice = (
        "Use one that stays within: lognormal above 0, logit_normal or beta for fractions, or "
        "truncated_normal."
    )
    if isinstance(distribution, LogNormal | TruncatedNormal):
        wanted = [f"lower = {parameter.lower:g}"] if low < parameter.lower else []
        wanted += [f"upper = {parameter.upper:g}"] if high > parameter.upper else []
        advice = f"Give it {' and '.join(wanted)}."
    raise ScenarioError(
        f"{where}: the {distribution.kind} distribution of '{name}' can draw values from {low:g} "
        f"to {high:g}, {beyond} the parameter's bounds ({bounds}). {advice}"
    )
