"""What makes patients differ: a score for each parameter, and a component.

Two ways to draw them. ``"random"``: every parameter has a stream of independent numbers of its
own. ``"sobol"``: all numbers of a patient are the coordinates of one point of a scrambled Sobol
sequence, which fills the space of the parameters more evenly than chance does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from carsim.errors import ScenarioError, unknown
from carsim.population.mixture import Mixture
from carsim.streams import MOST_DIMENSIONS, normal_scores, sobol_points

Array: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

SAMPLINGS = ("random", "sobol")


def check_sampling(sampling: object, names: Sequence[str], mixture: Mixture | None) -> None:
    """Refuse an unknown way to draw, and more parameters than a Sobol sequence has dimensions."""
    if sampling not in SAMPLINGS:
        raise ScenarioError(unknown("sampling", str(sampling), SAMPLINGS, "population"))
    dimension = _dimension(names, mixture)
    if sampling == "sobol" and dimension > MOST_DIMENSIONS:
        raise ScenarioError(
            f"population: sampling = 'sobol' with {dimension:,} random numbers a patient. A Sobol "
            f"sequence has at most {MOST_DIMENSIONS:,} dimensions. Use sampling = 'random'."
        )


def draw(
    sampling: str, seed: int, names: Sequence[str], mixture: Mixture | None, patients: Indices
) -> tuple[dict[str, Array], Indices | None]:
    """Draw the scores and the components of some patients.

    Parameters
    ----------
    sampling : {"random", "sobol"}
        How.
    seed : int
        Root seed.
    names : sequence of str
        Parameters that vary, in the order of their declaration: that of the coordinates.
    mixture : Mixture or None
        Kinds of patients. Unless it is stratified its number is the last coordinate.
    patients : int64 array, shape (n,)
        Patient indices.

    Returns
    -------
    scores : dict of str to float64 array, shape (n,)
        Independent standard normal scores by parameter.
    membership : int64 array, shape (n,), or None
        Components of the mixture; None without one.
    """
    if sampling == "random":
        scores = {name: normal_scores(seed, name, patients) for name in names}
        return scores, None if mixture is None else mixture.membership(seed, patients)
    dimension = _dimension(names, mixture)
    membership: Indices | None = None
    if mixture is not None and mixture.stratified:
        # The digits of a Sobol point follow from those of its index: patients 0, 4, 8, ... have
        # their first parameter all in one half. A stratum that takes every fourth patient would
        # see that half only, so each has a sequence of its own.
        membership, numbers = mixture.strata(patients)
        points = np.empty((len(patients), dimension))
        for k in np.unique(membership) if dimension else ():
            here = membership == k
            stream = f"sobol {mixture.labels[k]}"
            points[here] = sobol_points(seed, stream, dimension, numbers[here])
    elif dimension:
        points = sobol_points(seed, "sobol", dimension, patients)
        membership = None if mixture is None else mixture.by_share(points[:, -1])
    return {name: ndtri(points[:, k]) for k, name in enumerate(names)}, membership


def _dimension(names: Sequence[str], mixture: Mixture | None) -> int:
    """Numbers of a patient; the same whoever belongs to which component."""
    return len(names) + (mixture is not None and not mixture.stratified)
