"""What a strategy changes: risks compared patient by patient.

The cells of a sweep hold the same virtual patients with the same random numbers, so a strategy is
compared with another as in a trial in which every patient is in both arms. Only patients in whom
the arms differ carry information, and the interval uses them alone.

References
----------
T. Tango (1998). Stat Med 17:891, the score interval of a paired difference. The adjusted Wald and
square-and-add intervals cover about as well (M. W. Fagerland, S. Lydersen, P. Laake (2014), Stat
Med 33:2850); the score interval needs no added counts and keeps a width when no patient differs.
D. G. Altman (1998). BMJ 317:1309, the interval of a number needed to treat.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carsim.endpoints.intervals import Array, check_level
from carsim.endpoints.risk import check_events
from carsim.errors import ScenarioError, unknown

if TYPE_CHECKING:
    import xarray as xr

_HALVINGS = 60  # of an interval of length 2: to 2e-18, below the rounding of a difference


def tango_interval(
    only_first: ArrayLike, only_second: ArrayLike, n: ArrayLike, level: float = 0.95
) -> tuple[Array, Array]:
    """Tango's score interval of the difference of two proportions in the same patients.

    Parameters
    ----------
    only_first, only_second : array_like
        Patients with the event in the first arm only, and in the second arm only.
    n : array_like
        Patients in both arms; all three broadcast.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float64 arrays
        Of the first proportion minus the second; NaN where n is 0.

    Raises
    ------
    ScenarioError
        Negative counts, or more patients that differ than there are.
    """
    b, c, size = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (only_first, only_second, n))
    )
    if bool(np.any((b < 0) | (c < 0) | (b + c > size))):
        raise ScenarioError(
            f"Tango's interval: {only_first!r} and {only_second!r} of {n!r} patients differ. "
            "Counts are not negative, and no more patients differ than there are."
        )
    z = NormalDist().inv_cdf(0.5 + 0.5 * check_level(level))
    lower = np.where(b - c == -size, -1.0, _where_score_is(z, b, c, size))
    upper = np.where(b - c == size, 1.0, _where_score_is(-z, b, c, size))
    return np.where(size == 0, np.nan, lower), np.where(size == 0, np.nan, upper)


def _where_score_is(target: float, b: Array, c: Array, n: Array) -> Array:
    """Difference at which the score statistic, which falls with it, takes a value (bisection)."""
    low, high = np.full(b.shape, -1.0), np.full(b.shape, 1.0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = _score(middle, b, c, n) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(0.5 * (low + high))


def _score(difference: Array, b: Array, c: Array, n: Array) -> Array:
    """Score statistic; the share of the second arm alone is at its restricted maximum."""
    p = -b - c + (2.0 * n - b + c) * difference
    q = -c * difference * (1.0 - difference)
    root = np.sqrt(np.maximum(p**2 - 8.0 * n * q, 0.0))
    # The larger root of 2 n x^2 + p x + q, in the form that does not cancel.
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(p <= 0.0, (root - p) / (4.0 * n), -2.0 * q / (p + root))
        variance = n * (2.0 * share + difference * (1.0 - difference))
        away = b - c - n * difference
        # at the estimate the score is 0, also where nobody differs and the variance is 0 as well
        return np.where(away == 0.0, 0.0, away / np.sqrt(np.maximum(variance, 0.0)))


def risk_difference(
    values: xr.DataArray,
    reference: xr.DataArray,
    *,
    dim: str = "patient",
    level: float = 0.95,
) -> xr.Dataset:
    """Risk under a strategy minus the risk under another, in the same patients.

    Parameters
    ----------
    values, reference : xarray.DataArray
        1 (event), 0 (none) or NaN (failed or not at risk) along `dim`, patient by patient the
        same virtual patients; other dimensions broadcast.
    dim : str
        Dimension of the patients.
    level : float
        Level of the interval.

    Returns
    -------
    xarray.Dataset
        Over the other dimensions: `difference` with `lower` and `upper` (Tango's score interval),
        `standard_error`, `risk` and `reference_risk` in the pairs; `events_only_here`,
        `events_only_reference` (the patients in whom the strategies differ), `n` (pairs) and
        `excluded` (a NaN in either); `variance_ratio`: variance of the difference of two
        independent cohorts of this size over that of the pairs, which is the factor by which common
        random numbers save patients (infinite where no patient differs).

    Raises
    ------
    ScenarioError
        No such dimension, other patients, or values other than 0, 1, NaN.
    """
    import xarray as xr

    for each in (values, reference):
        check_events(each, dim, "risk_difference")
    if values.sizes[dim] != reference.sizes[dim] or not np.array_equal(
        _labels(values, dim), _labels(reference, dim)
    ):
        raise ScenarioError(
            "risk_difference: the two strategies have different patients, so they cannot be "
            "paired. Take both from one sweep, or from two with the same seed and size."
        )
    here, there = xr.broadcast(_bare(values, dim), _bare(reference, dim))
    here, there = here.transpose(..., dim), there.transpose(..., dim)
    x, y = (np.asarray(each.values, dtype=np.float64) for each in (here, there))
    paired = np.isfinite(x) & np.isfinite(y)
    n = paired.sum(axis=-1).astype(np.float64)
    first = np.where(paired, x, 0.0)
    second = np.where(paired, y, 0.0)
    b = (first * (1.0 - second)).sum(axis=-1)
    c = (second * (1.0 - first)).sum(axis=-1)
    lower, upper = tango_interval(b, c, n, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        risk, reference_risk = first.sum(axis=-1) / n, second.sum(axis=-1) / n
        variance = (b + c - (b - c) ** 2 / n) / n**2
        independent = (risk * (1 - risk) + reference_risk * (1 - reference_risk)) / n
        ratio = independent / variance
    dims = here.dims[:-1]
    percent = f"{100 * level:g} %"
    words = {
        "difference": ((b - c) / np.where(n > 0, n, np.nan), "difference of the risks"),
        "lower": (lower, f"lower end of the {percent} interval of the difference"),
        "upper": (upper, f"upper end of the {percent} interval of the difference"),
        "standard_error": (np.sqrt(variance), "standard error of the difference, paired"),
        "risk": (risk, "risk under the strategy"),
        "reference_risk": (reference_risk, "risk under the reference"),
        "events_only_here": (b, "patients with the event under the strategy only"),
        "events_only_reference": (c, "patients with the event under the reference only"),
        "n": (n, "patients counted in both"),
        "excluded": (x.shape[-1] - n, "patients left out (failed or not at risk in either)"),
        "variance_ratio": (ratio, "variance of independent cohorts over that of the pairs"),
    }
    title = str(values.attrs.get("long_name", values.name if values.name is not None else "event"))
    return xr.Dataset(
        {
            name: xr.Variable(dims, data, {"units": "1", "long_name": text})
            for name, (data, text) in words.items()
        },
        coords=here.coords,
        attrs={"event": title, "level": level, "method": "tango"},
    )


def risk_differences(
    values: xr.DataArray,
    over: str,
    reference: object,
    *,
    dim: str = "patient",
    level: float = 0.95,
) -> xr.Dataset:
    """Difference of every strategy of a sweep to one of them.

    Parameters
    ----------
    values : xarray.DataArray
        1, 0 or NaN along `dim` and `over`.
    over : str
        Dimension of the strategies, or of another axis such as the duration.
    reference : object
        Its value that the others are compared with.
    dim, level
        As for `risk_difference`.

    Returns
    -------
    xarray.Dataset
        As from `risk_difference`, over `over` without the reference; attribute `reference`.

    Raises
    ------
    ScenarioError
        No such dimension or value.
    """
    check_events(values, dim, "risk_differences")
    if over not in values.dims or over == dim:
        others = [str(d) for d in values.dims if d != dim]
        raise ScenarioError(unknown("dimension", over, others, "risk_differences"))
    labels = _labels(values, over)
    here = np.array([label == reference for label in labels.tolist()])
    if not here.any():
        raise ScenarioError(
            unknown(
                f"value of '{over}'", str(reference), map(str, labels.tolist()), "risk_differences"
            )
        )
    found = risk_difference(
        values.isel({over: np.flatnonzero(~here)}),
        values.isel({over: int(np.argmax(here))}),
        dim=dim,
        level=level,
    )
    return found.assign_attrs(reference=str(reference), over=over)


def number_needed_to_treat(difference: xr.Dataset) -> xr.Dataset:
    """Patients to treat, in place of the reference, for one event fewer (or more).

    Parameters
    ----------
    difference : xarray.Dataset
        From `risk_difference` or `risk_differences`.

    Returns
    -------
    xarray.Dataset
        `nnt`: 1 over the risk taken away; above 0 the number needed for one patient to benefit
        (NNTB), below 0 for one to be harmed (NNTH), infinite without a difference. Its interval
        runs from `best` to `worst`, the reciprocals of the ends of the interval of the difference.
        Where `through_infinity` is true the difference may be of either sign: the interval is then
        *not* the numbers between the two ends but those beyond them: from NNTB `best` up to
        infinity, and from there to NNTH `worst`. `words` says it in Altman's words.
    """
    import xarray as xr

    dims = difference["difference"].dims
    taken, most, least = (
        -np.asarray(difference[name].values, dtype=np.float64)
        for name in ("difference", "lower", "upper")
    )
    with np.errstate(divide="ignore"):
        # -0.0 would give the wrong infinity
        nnt, best, worst = (1.0 / (x + 0.0) for x in (taken, most, least))
    through = (least < 0.0) & (most > 0.0)
    words = np.array(
        [_in_words(*row) for row in zip(*map(np.ravel, (nnt, best, worst, through)), strict=True)],
        dtype=object,
    ).reshape(nnt.shape)
    percent = f"{100 * float(difference.attrs['level']):g} %"
    count = {"units": "1"}
    return xr.Dataset(
        {
            "nnt": (dims, nnt, count | {"long_name": "number needed to treat (below 0: to harm)"}),
            "best": (dims, best, count | {"long_name": f"favorable end of the {percent} interval"}),
            "worst": (
                dims,
                worst,
                count | {"long_name": f"unfavorable end of the {percent} interval"},
            ),
            "through_infinity": (
                dims,
                through,
                count | {"long_name": "the interval runs through infinity"},
            ),
            "words": (dims, words.astype(str), {"long_name": "number needed to treat, in words"}),
        },
        coords=difference.coords,
        attrs=dict(difference.attrs),
    )


def _in_words(nnt: float, best: float, worst: float, through: bool) -> str:
    if np.isnan(nnt):
        return "unknown"
    if np.isinf(nnt):
        return f"NNT ∞ ({_named(best)} to ∞ to {_named(worst)})" if through else "NNT ∞"
    if through or np.isinf(best) or np.isinf(worst):
        pieces = [_named(best), "∞", _named(worst)]
        if nnt < 0:
            pieces.reverse()
        return f"{_named(nnt)} ({' to '.join(piece for piece in pieces if piece)})"
    near, far = sorted((abs(best), abs(worst)))
    return f"{_named(nnt)} ({_digits(near)} to {_digits(far)})"


def _named(number: float) -> str:
    if np.isinf(number):
        return ""
    return f"{'NNTB' if number > 0 else 'NNTH'} {_digits(number)}"


def _digits(number: float) -> str:
    size = abs(number)
    # 1/0.2 may miss 5 by a rounding
    whole = abs(size - round(size)) < 1e-9 * size
    return f"{size:.1f}" if size < 9.95 and not whole else f"{size:,.0f}"


def _labels(values: xr.DataArray, dim: str) -> NDArray[np.generic]:
    """Values of a dimension's coordinate, or positions without one."""
    return np.asarray(values[dim].values)


def _bare(values: xr.DataArray, dim: str) -> xr.DataArray:
    """Only what the result keeps: no coordinates of patients, none that name one strategy."""
    kept = set(values.dims) - {dim}
    return values.drop_vars(
        [
            c
            for c in values.coords
            if not kept >= set(values.coords[c].dims) or not values.coords[c].dims
        ]
    )
