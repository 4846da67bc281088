"""Kinds of patients in one population: labelled components with shares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.population.checks import is_number, is_text
from carsim.population.distribution import Distribution
from carsim.population.distributions import Constant
from carsim.streams import uniforms

LONGEST_PATTERN = 10_000


def as_distributions(
    parameters: Mapping[str, Distribution | float], where: str
) -> dict[str, Distribution]:
    """Copy a mapping of parameters, with plain numbers turned into constants."""
    made: dict[str, Distribution] = {}
    for name, given in parameters.items():
        if isinstance(given, Distribution):
            made[name] = given
        elif is_number(given):
            made[name] = Constant(float(given))
        else:
            raise ScenarioError(
                f"{where}: {name} is {given!r}. Give a number or a distribution, "
                f"for example LogNormal(median=1.0, cv=0.3)."
            )
    return made


@dataclass(frozen=True)
class Component:
    """One kind of patient.

    Parameters
    ----------
    label : str
        Name in results and figures, for example ``"HBsAg-positive carrier"``.
    weight : float, optional
        Share relative to the other components (any positive number).
    variants : sequence of str, optional
        Named parameter sets of the model that hold for these patients.
    parameters : mapping of str to Distribution or float, optional
        What else is different in these patients; wins over the population's own.
    """

    label: str
    weight: float = 1.0
    variants: Sequence[str] = ()
    parameters: Mapping[str, Distribution | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_text(self.label) or not self.label.strip():
            raise ScenarioError(
                f"population component: the label is {self.label!r}. Give words, "
                f"for example label = 'resolved infection'."
            )
        where = f"population component '{self.label}'"
        if not is_number(self.weight) or not math.isfinite(self.weight) or self.weight <= 0:
            raise ScenarioError(
                f"{where}: weight = {self.weight!r}. It must be a finite number above 0; "
                f"leave the component out if nobody belongs to it."
            )
        if is_text(self.variants):
            raise ScenarioError(f"{where}: variants is a single text. Give a list of names.")
        object.__setattr__(self, "variants", tuple(self.variants))
        object.__setattr__(self, "parameters", as_distributions(self.parameters, where))

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """The component's own distributions."""
        return self.parameters  # type: ignore[return-value]


@dataclass(frozen=True)
class Mixture:
    """Components of a population and how patients are shared among them.

    Parameters
    ----------
    name : str
        Name of the label on the results, for example ``"serostatus"``.
    components : sequence of Component
        At least one, with different labels.
    stratified : bool, optional
        True: exact shares by patient index (patients alternate in a fixed pattern). False: each
        patient is drawn by weight.
    """

    name: str
    components: Sequence[Component]
    stratified: bool = False

    def __post_init__(self) -> None:
        if not is_text(self.name) or not self.name.isidentifier():
            raise ScenarioError(
                f"population mixture: the name is {self.name!r}. It becomes a variable of the "
                f"result: use letters, digits and underscores, for example 'serostatus'."
            )
        object.__setattr__(self, "components", tuple(self.components))
        if not self.components:
            raise ScenarioError(f"population mixture '{self.name}': give at least one component.")
        labels = self.labels
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ScenarioError(
                f"population mixture '{self.name}': the label '{twice[0]}' is used twice. "
                f"Give each component its own."
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the components."""
        return tuple(component.label for component in self.components)

    def index(self, label: object) -> int:
        """Position of a label; unknown ones are refused with the nearest name."""
        if label not in self.labels:
            where = f"population mixture '{self.name}'"
            raise ScenarioError(unknown("component", str(label), self.labels, where))
        return self.labels.index(str(label))

    def membership(self, seed: int, patients: NDArray[np.int64]) -> NDArray[np.int64]:
        """Component of each patient.

        Parameters
        ----------
        seed : int
            Seed of the population (not used by a stratified mixture).
        patients : int64 array, shape (n,)
            Patient indices.

        Returns
        -------
        int64 array, shape (n,), positions in `components`
        """
        if self.stratified:
            return self.strata(patients)[0]
        return self.by_share(uniforms(seed, f"mixture {self.name}", patients))

    def by_share(self, shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """Components by weight: the first for the smallest numbers, and so on.

        Parameters
        ----------
        shares : float64 array, shape (n,)
            Between 0 and 1; uniform numbers choose each component as often as its weight says.

        Returns
        -------
        int64 array, shape (n,), positions in `components`
        """
        edges = np.cumsum(self._weights) / math.fsum(self._weights)
        return np.searchsorted(edges[:-1], shares, side="right").astype(np.int64)

    def strata(self, patients: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Component of each patient by the fixed pattern, and its number among those before it.

        Parameters
        ----------
        patients : int64 array, shape (n,)
            Patient indices.

        Returns
        -------
        two int64 arrays, shape (n,)
            Positions in `components`; how many patients before this one are of the same component.
        """
        pattern, before, counts = _pattern(self._weights)
        rounds, place = np.divmod(np.asarray(patients, dtype=np.int64), pattern.size)
        component = pattern[place]
        return component, rounds * counts[component] + before[place]

    @property
    def _weights(self) -> tuple[float, ...]:
        return tuple(float(component.weight) for component in self.components)


@lru_cache(maxsize=64)
def _pattern(
    weights: tuple[float, ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return components in an order whose every beginning is as near to the shares as it can be.

    Beside it: how often the component at each place stood there before, and how often in all.
    """
    counts = _period(weights)
    total = sum(counts)
    given = [0] * len(counts)
    pattern, before = [], []
    for position in range(1, total + 1):
        # How far each component lags behind its share of the first `position` patients.
        lags = [count * position - total * had for count, had in zip(counts, given, strict=True)]
        chosen = lags.index(max(lags))
        pattern.append(chosen)
        before.append(given[chosen])
        given[chosen] += 1
    return np.array(pattern), np.array(before), np.array(given)


def _period(weights: Iterable[float]) -> list[int]:
    shares = [Fraction(repr(float(weight))) for weight in weights]
    total = sum(shares, Fraction(0))
    shares = [share / total for share in shares]
    period = math.lcm(*(share.denominator for share in shares))
    if period <= LONGEST_PATTERN:
        return [int(share * period) for share in shares]
    # Shares such as 1/3.1: exact to one patient in 10,000 (largest remainders).
    counts = [int(share * LONGEST_PATTERN) for share in shares]
    remainders = [
        share * LONGEST_PATTERN - count for share, count in zip(shares, counts, strict=True)
    ]
    for _ in range(LONGEST_PATTERN - sum(counts)):
        largest = remainders.index(max(remainders))
        counts[largest] += 1
        remainders[largest] = Fraction(-1)
    return counts
