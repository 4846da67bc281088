"""What one step of each factor does to an output, all over its range: Morris' screening."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carsim.sensitivity.designs import (
    MorrisTrajectories,
    Values,
    design_hash,
    evaluated,
    require_salib,
)
from carsim.sensitivity.frame import Label, frame, labels_of, versions

if TYPE_CHECKING:
    import xarray as xr

LEVEL = 0.95
RESAMPLES = 1000


def morris(
    design: MorrisTrajectories,
    values: Values,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> xr.Dataset:
    """Elementary effects with bootstrap intervals, computed by SALib.

    An elementary effect is the change of the output by one step of a factor, divided by the step
    as a share of the factor's range: in the unit of the output for the whole range, on the
    factor's own scale (linear or logarithmic).

    Parameters
    ----------
    design : MorrisTrajectories
        The points.
    values : callable, array or mapping of str to array
        As for `carsim.sensitivity.sobol`.
    level : float, optional
        Level of the interval of ``mu_star``.
    resamples : int, optional
        Number of bootstrap resamples of the trajectories, seeded by the design's seed.

    Returns
    -------
    xarray.Dataset
        Over ``factor`` and ``output``: ``mu``, the mean effect; ``mu_star``, the mean of its
        absolute value, with ``_lower`` and ``_upper``; ``sigma``, the standard deviation of the
        effect, large beside ``mu_star`` where the factor acts by interaction or nonlinearly.

    Raises
    ------
    CarsimError
        SALib is not installed.

    References
    ----------
    F. Campolongo, J. Cariboni, A. Saltelli (2007). An effective screening design for sensitivity
    analysis of large models. Environmental Modelling & Software 22:1509-1518.
    doi:10.1016/j.envsoft.2006.10.004
    """
    require_salib()
    from SALib.analyze import morris as analysis  # pulls in pandas and matplotlib

    outputs = evaluated(design, values)
    found = {name: np.full((len(design.axes), len(outputs)), np.nan) for name in _WORDS}
    for k, column in enumerate(outputs.values()):
        effects = analysis.analyze(
            design.problem(),
            design.shares,
            column,
            num_resamples=resamples,
            conf_level=level,
            num_levels=design.levels,
            seed=int(design.seed),
        )
        star = np.asarray(effects["mu_star"], dtype=np.float64)
        half = np.asarray(effects["mu_star_conf"], dtype=np.float64)
        found["mu"][:, k] = effects["mu"]
        found["mu_star"][:, k] = star
        found["mu_star_lower"][:, k] = np.maximum(star - half, 0.0)
        found["mu_star_upper"][:, k] = star + half
        found["sigma"][:, k] = effects["sigma"]
    attributes = {
        "title": "Morris' elementary effects",
        "method": "morris",
        "samples": int(design.points),
        "simulations": design.size,
        "levels": design.levels,
        "design_seed": int(design.seed),
        "design_hash": design_hash(design.shares),
        "level": level,
        "resamples": resamples,
        "versions": versions("numpy", "SALib"),
    }
    return frame(
        {name: (found[name], words) for name, words in _WORDS.items()},
        labels_of(design.axes),
        [Label(name, unit="") for name in outputs],
        attributes,
        in_output_unit=tuple(_WORDS),
    )


_WORDS = {
    "mu": "mean elementary effect",
    "mu_star": "mean absolute elementary effect",
    "mu_star_lower": "mean absolute elementary effect, lower end of the interval",
    "mu_star_upper": "mean absolute elementary effect, upper end of the interval",
    "sigma": "standard deviation of the elementary effects",
}
