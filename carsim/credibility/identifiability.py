"""Which parameters given observations can tell apart, by the local sensitivities.

A screen, not a proof: it sees one point of the parameter space and perfect data. What it finds
unidentifiable is so, at this point, for any data; what passes may still drown in noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from carsim.errors import ScenarioError, unknown

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["identifiability"]

UNSEEN = 1e-7
"""Singular values below this part of the largest are taken for zero: the sensitivities are no more
exact."""
COLLINEAR = 15.0
"""Collinearity index from which a set of parameters counts as not identifiable: Brun et al. 2001
find 5 to 20 in practice."""


def identifiability(
    sensitivities: xr.Dataset,
    *,
    errors: Mapping[str, float] | None = None,
    unseen: float = UNSEEN,
) -> xr.Dataset:
    """Screen which parameters the outputs of a run can tell apart.

    The sensitivities are taken per relative change of a parameter and, of each output, in units of
    its measurement error. The singular values of that matrix count the combinations of parameters
    that are seen; the collinearity index of two parameters says how much of the change by one can
    be undone by the other (R. Brun, P. Reichert, H. R. Kuensch, Water Resour. Res. 37:1015, 2001).

    Parameters
    ----------
    sensitivities : xarray.Dataset
        Result of `local_sensitivity`: the outputs that are measured at the times of the
        measurements, and the parameters in question. A parameter without a derivative is left out.
    errors : mapping of str to float, optional
        Standard deviation of the measurement of each output, in its unit; for the outputs that are
        not named, 10 % of the largest value of the course.
    unseen : float
        Singular values below this part of the largest count as zero.

    Returns
    -------
    xarray.Dataset
        ``singular_value`` (direction), in order; ``direction_vector`` (direction, parameter), the
        combination of relative changes that belongs to it; ``importance`` (parameter), root mean
        square of the scaled sensitivities; ``collinearity`` (parameter, other), infinite where one
        parameter does all that the other does; ``seen`` (parameter), false for a parameter that
        changes nothing; attributes ``rank``, ``index`` (collinearity index of the whole set) and
        ``unidentified``, the combinations that are not seen, in words.

    Raises
    ------
    ScenarioError
        An unknown output, an error that is not positive, or nothing to look at.
    """
    import xarray as xr

    known = [str(name) for name in sensitivities.output.values]
    for name, error in (errors or {}).items():
        if name not in known:
            raise ScenarioError(unknown("output", name, known, "identifiability: the run"))
        if not (np.isfinite(error) and error > 0.0):
            raise ScenarioError(
                f"identifiability: the error of {name!r} is {error!r}. Give a positive number in "
                "the unit of the output."
            )
    part = sensitivities.isel(parameter=np.asarray(sensitivities.why.values) == "")
    names = [str(name) for name in part.parameter.values]
    largest = np.abs(part["value"].values).max(axis=1)
    spread = np.array(
        [
            (errors or {}).get(name, 0.1 * float(size))
            for name, size in zip(known, largest, strict=True)
        ]
    )
    used = spread > 0.0
    if not names or not used.any():
        raise ScenarioError(
            "identifiability: there is nothing to look at: every output is zero, or no parameter "
            "has a derivative. Name other outputs, times or parameters."
        )
    scale = np.abs(part.parameter_value.values)
    # A parameter that is zero has no relative change: its unit is taken.
    scale = np.where(scale > 0.0, scale, 1.0)
    table = part.sensitivity.transpose("output", "time", "parameter").values[used]
    matrix = (table * scale / spread[used, None, None]).reshape(-1, len(names))
    # Rows of zeros, where there are fewer measurements than parameters: every direction is listed.
    padded = np.concatenate([matrix, np.zeros((max(len(names) - len(matrix), 0), len(names)))])
    _, values, vectors = np.linalg.svd(padded, full_matrices=False)
    norms = np.linalg.norm(matrix, axis=0)
    least = max(unseen * values[0], np.finfo(float).tiny)
    seen = norms > least
    unit = matrix[:, seen] / norms[seen]
    pairs = np.full((len(names), len(names)), np.nan)
    cosine = np.clip(np.abs(unit.T @ unit), 0.0, 1.0)
    pairs[np.ix_(seen, seen)] = _index(1.0 - cosine, unseen)
    np.fill_diagonal(pairs, np.nan)
    smallest = np.linalg.svd(unit, compute_uv=False) if seen.any() else np.zeros(1)
    full = unit.shape[0] >= unit.shape[1]
    whole = float(_index(np.array([smallest[-1] ** 2 if full else 0.0]), unseen)[0])
    rank = int((values > least).sum())
    lost = [_in_words(vectors[k], names) for k in range(rank, len(names))]
    return xr.Dataset(
        {
            "singular_value": (
                "direction",
                values,
                {"long_name": "measurement errors per relative change"},
            ),
            "direction_vector": (
                ("direction", "parameter"),
                vectors,
                {"long_name": "relative changes of the parameters"},
            ),
            "importance": (
                "parameter",
                norms / np.sqrt(len(matrix)),
                {"long_name": "measurement errors per relative change, root mean square"},
            ),
            "seen": ("parameter", seen, {"long_name": "whether the parameter changes anything"}),
            "collinearity": (
                ("parameter", "other"),
                pairs,
                {"long_name": "collinearity index of two parameters"},
            ),
        },
        {"parameter": names, "other": names, "direction": np.arange(len(names))},
        {
            "title": f"Identifiability screen of {sensitivities.attrs.get('model', 'a model')}",
            "rank": rank,
            "index": whole,
            "unidentified": "; ".join(lost),
            "left_out": ", ".join(
                str(name) for name in sensitivities.parameter.values if str(name) not in names
            ),
        },
    )


def _index(eigenvalue: np.ndarray, unseen: float) -> np.ndarray:
    """Collinearity index of a smallest eigenvalue; infinite if that is zero to within rounding."""
    with np.errstate(divide="ignore"):
        return np.where(eigenvalue > unseen**2, 1.0 / np.sqrt(np.maximum(eigenvalue, 0.0)), np.inf)


def _in_words(vector: np.ndarray, names: list[str]) -> str:
    """The main parts of a combination of relative changes."""
    order = np.argsort(-np.abs(vector), kind="stable")
    main = [k for k in order if abs(vector[k]) >= 0.1 * abs(vector[order[0]])][:6]
    lead = vector[main[0]]
    return " ".join(f"{'+' if vector[k] / lead > 0 else '-'}{names[k]}" for k in main)
