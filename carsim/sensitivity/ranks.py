"""Partial rank correlation coefficients: monotone dependence with the other factors taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carsim.errors import ScenarioError
from carsim.sensitivity.designs import OUTPUT, design_hash
from carsim.sensitivity.frame import Label, frame, versions

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

LEVEL = 0.95
NOTHING_LEFT = 1e-10
"""Share of the variance of ranks below which a factor, or the output, counts as determined by the
other factors. Rounding of the correlation matrix leaves about 1e-13."""


@dataclass(frozen=True)
class Correlations:
    """Partial rank correlations of one output.

    Attributes
    ----------
    value, lower, upper, p_value : float64 arrays, shape (n_factors,)
        NaN where there is none.
    why : list of str
        Why not; empty where there is one.
    n : int
        Rows that took part.
    """

    value: Array
    lower: Array
    upper: Array
    p_value: Array
    why: list[str]
    n: int


def prcc(
    factors: Mapping[str, ArrayLike],
    values: ArrayLike | Mapping[str, ArrayLike],
    *,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
) -> xr.Dataset:
    """Partial rank correlation of outputs with factors.

    Factors and output are replaced by their ranks (ties share the mean rank); the correlation of a
    factor with the output is that of what remains of both after linear regression on the ranks of
    the other factors. It measures monotone dependence only: a factor whose effect goes up and then
    down may have none.

    Parameters
    ----------
    factors : mapping of str to array, shape (n,)
        Sampled values of each factor.
    values : array, shape (n,), or mapping of str to such
        Outputs. Rows where an output is NaN are left out of its correlations, and counted.
    groups : array of labels, shape (n,), optional
        Kinds of rows, such as serostatus: their mean ranks are taken out with the other factors.
    level : float, optional
        Level of the intervals.

    Returns
    -------
    xarray.Dataset
        Over ``factor`` and ``output``: ``prcc``, with ``prcc_lower`` and ``prcc_upper`` by Fisher's
        z, and ``p_value`` by Student's t, both approximations for ranks; ``why`` says why a
        coefficient is NaN. Over ``output``: ``n`` rows that took part, ``left_out``.

    References
    ----------
    S. Marino, I. B. Hogue, C. J. Ray, D. E. Kirschner (2008). A methodology for performing global
    uncertainty and sensitivity analysis in systems biology. J Theor Biol 254:178-196.
    doi:10.1016/j.jtbi.2008.04.011
    """
    outputs = values if isinstance(values, Mapping) else {OUTPUT: values}
    table = _table(factors)
    columns = {str(name): _column(name, each, len(table)) for name, each in outputs.items()}
    labels = None if groups is None else _groups(groups, len(table))
    found = [correlations(table, each, labels, level) for each in columns.values()]
    attributes: dict[str, Any] = {
        "title": "Partial rank correlation coefficients",
        "method": "prcc",
        "samples": len(table),
        "design_hash": design_hash(table),
        "level": level,
        "versions": versions("numpy", "scipy"),
    }
    return assembled(
        found,
        [Label(str(name), unit="") for name in factors],
        [Label(name, unit="") for name in columns],
        len(table),
        attributes,
    )


def assembled(
    found: Sequence[Correlations],
    factors: Sequence[Label],
    outputs: Sequence[Label],
    rows: int,
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Put the correlations of several outputs side by side."""
    variables = {
        "prcc": "partial rank correlation",
        "prcc_lower": "partial rank correlation, lower end of the interval",
        "prcc_upper": "partial rank correlation, upper end of the interval",
        "p_value": "p value of no partial rank correlation",
    }
    columns = {
        "prcc": [each.value for each in found],
        "prcc_lower": [each.lower for each in found],
        "prcc_upper": [each.upper for each in found],
        "p_value": [each.p_value for each in found],
    }
    dataset = frame(
        {name: (np.column_stack(columns[name]), words) for name, words in variables.items()},
        factors,
        outputs,
        attributes,
        why=np.column_stack([np.array(each.why, dtype=object) for each in found]),
    )
    n = np.array([each.n for each in found])
    one = {"units": "1", "carsim_units": "1"}
    return dataset.assign(
        n=("output", n, {**one, "long_name": "rows that took part"}),
        left_out=("output", rows - n, {**one, "long_name": "rows left out, their output is NaN"}),
    )


def correlations(
    table: Array, values: Array, groups: NDArray[np.int64] | None, level: float
) -> Correlations:
    """Partial rank correlations of one output.

    Parameters
    ----------
    table : float64 array, shape (n, n_factors)
        Factors.
    values : float64 array, shape (n,)
        Output; NaN rows are left out.
    groups : int64 array, shape (n,), or None
        Number of the group of each row.
    level : float
        Level of the intervals.
    """
    from scipy.special import ndtri, stdtr
    from scipy.stats import rankdata  # takes seconds to import

    kept = np.isfinite(values)
    n, d = int(kept.sum()), table.shape[1]
    empty = np.full(d, np.nan)
    found = Correlations(empty, empty.copy(), empty.copy(), empty.copy(), [""] * d, n)
    n_groups = 1
    ranks = np.column_stack([rankdata(table[kept], axis=0), rankdata(values[kept])])
    if n:
        codes = np.zeros(n, dtype=np.int64)
        if groups is not None:
            # Groups all of whose rows were left out are none.
            levels, codes = np.unique(groups[kept], return_inverse=True)
            n_groups = len(levels)
        counts = np.bincount(codes, minlength=n_groups)
        for column in ranks.T:
            column -= (np.bincount(codes, column, n_groups) / counts)[codes]
    # Ranks are halves of whole numbers: what is constant leaves rounding of about 1e-16 n.
    size = np.sqrt(np.sum(ranks * ranks, axis=0))
    alive = size > 1e-9 * max(n, 1) ** 1.5
    scaled = ranks / np.where(alive, size, 1.0)
    matrix = scaled.T @ scaled
    z = float(ndtri(0.5 + 0.5 * level))
    for k in range(d):
        others = [j for j in range(d) if j != k and alive[j]]
        found.why[k] = _refusal(k, d, n, alive, n_groups)
        if found.why[k]:
            continue
        left_factor, left_output, both, rank = _remaining(matrix, k, d, others)
        freedom = n - 2 - rank - (n_groups - 1)
        if freedom < 2:
            found.why[k] = f"{n} values are too few to take out {rank + n_groups - 1} others"
        elif left_factor <= NOTHING_LEFT:
            found.why[k] = "the factor is determined by the others"
        elif left_output <= NOTHING_LEFT:
            found.why[k] = "the output is determined by the other factors"
        if found.why[k]:
            continue
        r = float(np.clip(both / np.sqrt(left_factor * left_output), -1.0, 1.0))
        found.value[k] = r
        if abs(r) == 1.0:
            found.lower[k], found.upper[k], found.p_value[k] = r, r, 0.0
            continue
        half = z / np.sqrt(freedom - 1)
        found.lower[k] = np.tanh(np.arctanh(r) - half)
        found.upper[k] = np.tanh(np.arctanh(r) + half)
        statistic = abs(r) * np.sqrt(freedom / ((1.0 - r) * (1.0 + r)))
        found.p_value[k] = 2.0 * float(stdtr(freedom, -statistic))
    return found


def _remaining(matrix: Array, k: int, d: int, others: list[int]) -> tuple[float, float, float, int]:
    """What is left of a factor, of the output, and of their product when others are taken out.

    Schur complement of the correlation matrix of the ranks; also the rank of the others.
    """
    if not others:
        return 1.0, 1.0, float(matrix[k, d]), 0
    values, vectors = np.linalg.eigh(matrix[np.ix_(others, others)])
    kept = values > NOTHING_LEFT * len(others)
    loads = (vectors[:, kept].T @ matrix[np.ix_(others, [k, d])]) / np.sqrt(values[kept, None])
    taken = loads.T @ loads
    return (
        float(1.0 - taken[0, 0]),
        float(1.0 - taken[1, 1]),
        float(matrix[k, d] - taken[0, 1]),
        int(kept.sum()),
    )


def _refusal(k: int, d: int, n: int, alive: NDArray[np.bool_], n_groups: int) -> str:
    where = "" if n_groups == 1 else " within each group"
    if n == 0:
        return "the output has no value"
    if not alive[d]:
        return f"the output is constant{where}"
    return "" if alive[k] else f"the factor is constant{where}"


def _table(factors: Mapping[str, ArrayLike]) -> Array:
    if not factors:
        raise ScenarioError("prcc: there is no factor. Give at least one column.")
    columns: list[Array] = []
    for name, given in factors.items():
        column = np.asarray(given)
        if column.dtype.kind not in "iufb" or column.ndim != 1:
            raise ScenarioError(
                f"prcc: factor '{name}' is not one column of numbers. Labels have no rank: give "
                f"them as groups."
            )
        if columns and len(column) != len(columns[0]):
            raise ScenarioError(
                f"prcc: factor '{name}' has {len(column)} rows, the first {len(columns[0])}."
            )
        if not np.isfinite(column).all():
            raise ScenarioError(f"prcc: factor '{name}' has values that are not finite.")
        columns.append(column.astype(np.float64))
    return np.column_stack(columns)


def _column(name: object, given: ArrayLike, rows: int) -> Array:
    column = np.asarray(given, dtype=np.float64)
    if column.shape != (rows,):
        raise ScenarioError(
            f"prcc: output '{name}' has the shape {column.shape}, but there are {rows} rows."
        )
    if np.isinf(column).any():
        raise ScenarioError(f"prcc: output '{name}' has infinite values.")
    return column


def _groups(groups: ArrayLike, rows: int) -> NDArray[np.int64]:
    labels = np.asarray(groups)
    if labels.shape != (rows,):
        raise ScenarioError(
            f"prcc: groups has the shape {labels.shape}, but there are {rows} rows."
        )
    return np.unique(labels.astype(object), return_inverse=True)[1]
