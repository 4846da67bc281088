"""Correlations between parameters: a Gaussian copula on the standard normal scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.population.checks import is_number
from carsim.streams import LARGEST_SCORE

Array = NDArray[np.float64]


class Copula:
    """Turns independent scores into correlated ones.

    The correlation is that of the scores: for normal parameters their own, for lognormal
    parameters that of their logarithms.

    Parameters
    ----------
    correlations : mapping of (name, name) to float
        One entry for each pair that is not independent, between -1 and 1.
    varying : iterable of str
        Names of the parameters that have a distribution.

    Raises
    ------
    ScenarioError
        Naming the pair, or all pairs that cannot hold together.
    """

    def __init__(
        self, correlations: Mapping[tuple[str, str], float], varying: Iterable[str]
    ) -> None:
        known = tuple(varying)
        seen: set[frozenset[str]] = set()
        for pair, value in correlations.items():
            _check_pair(pair, value, known, seen)
        #: Names of the correlated parameters, in the order of their distributions.
        self.names = tuple(name for name in known if any(name in pair for pair in correlations))
        matrix = np.eye(len(self.names))
        for (first, second), value in correlations.items():
            i, j = self.names.index(first), self.names.index(second)
            matrix[i, j] = matrix[j, i] = value
        if self.names and float(np.linalg.eigvalsh(matrix)[0]) < 1e-10:
            raise _not_positive_definite(correlations, self.names, matrix)
        self.factor = np.linalg.cholesky(matrix)

    def largest_score(self, name: str) -> float:
        """Bound on the absolute score of a parameter, correlated or not."""
        # Each row of the factor has length 1, so Cauchy and Schwarz bound the sum.
        return LARGEST_SCORE * (math.sqrt(len(self.names)) if name in self.names else 1.0)

    def correlate(self, scores: dict[str, Array]) -> None:
        """Replace the independent scores of the correlated parameters, in place.

        Parameters
        ----------
        scores : dict of str to float64 array, shape (n,)
            Independent standard normal scores by parameter.
        """
        independent = [scores[name] for name in self.names]
        for i, name in enumerate(self.names):
            # A sum in fixed order: a matrix product would round by the shape of the block.
            mixed = self.factor[i, 0] * independent[0]
            for j in range(1, i + 1):
                mixed = mixed + self.factor[i, j] * independent[j]
            scores[name] = mixed


def _check_pair(
    pair: tuple[str, str], value: object, known: tuple[str, ...], seen: set[frozenset[str]]
) -> None:
    if not _is_pair(pair):
        raise ScenarioError(
            f"population correlations: {pair!r} is not a pair. Give two parameter names, "
            f"for example ('k_on', 'k_off')."
        )
    first, second = pair
    where = f"population correlation {first} - {second}"
    for name in pair:
        if name not in known:
            raise ScenarioError(unknown("parameter with a distribution", name, known, where))
    if first == second:
        raise ScenarioError(f"{where}: a parameter is always correlated with itself. Remove it.")
    if frozenset(pair) in seen:
        raise ScenarioError(f"{where}: the pair is given twice. Keep one of the two.")
    seen.add(frozenset(pair))
    if not is_number(value) or not -1 < float(value) < 1:  # type: ignore[arg-type]
        raise ScenarioError(f"{where}: {value!r} is not a number between -1 and 1 (both left out).")


def _is_pair(pair: object) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2


def _not_positive_definite(
    correlations: Mapping[tuple[str, str], float], names: tuple[str, ...], matrix: Array
) -> ScenarioError:
    worst = np.linalg.eigh(matrix)[1][:, 0]
    guilty = {name for name, share in zip(names, worst, strict=True) if abs(share) > 1e-6}
    pairs = ", ".join(
        f"{first} - {second} = {value:g}"
        for (first, second), value in correlations.items()
        if first in guilty and second in guilty
    )
    # Scaling all pairs by s moves each eigenvalue e to 1 + s (e - 1).
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    scale = math.floor(100 * 0.999 / (1 - smallest)) / 100
    return ScenarioError(
        f"population correlations: {pairs} cannot all hold at once (the matrix is not positive "
        f"definite; its smallest eigenvalue is {smallest:.3g}). Bring them closer to 0 "
        f"(all times {scale:g} would do), or give the missing pairs a value."
    )
