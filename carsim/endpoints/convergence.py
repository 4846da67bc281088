"""How many virtual patients are enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.endpoints.intervals import Array, check_level, wilson_interval
from carsim.errors import ScenarioError, unknown

if TYPE_CHECKING:
    import xarray as xr

_SIZES = 30
_LEAST = 10


def convergence(
    values: xr.DataArray,
    *,
    dim: str = "patient",
    level: float = 0.95,
    sizes: Sequence[int] | None = None,
    half_width: float | None = None,
) -> xr.Dataset:
    """Estimate of a risk, or of a mean, over the first patients only, and how sure it is.

    Parameters
    ----------
    values : xarray.DataArray
        Events (1, 0, NaN: the risk is estimated) or any numbers (their mean is) along `dim`.
        Patients are independent and their order carries nothing, so that the first n of them are
        what a run of n patients would have given.
    dim : str
        Dimension of the patients.
    level : float
        Level of the interval: Wilson's for events, Student's for a mean.
    sizes : sequence of int, optional
        Numbers of patients; 30 of them by default, evenly spaced in the logarithm.
    half_width : float, optional
        Half-width of the interval that is wanted, in the unit of the values.

    Returns
    -------
    xarray.Dataset
        Over the other dimensions and `size`: `estimate`, `standard_error`, `lower`, `upper`,
        `half_width` and `n` (patients counted; the others are NaN). Over the other dimensions:
        `patients_to_halve`, four times the patients, for plain Monte Carlo draws have an error that
        falls with the square root of their number (quasi-random ones may fall faster, which this
        does not know); and, with `half_width`, `patients_for_half_width`: how many would give it
        at the present estimate. Both count failed patients in, at their present share.

    Raises
    ------
    ScenarioError
        No such dimension, or sizes that are not between 1 and the number of patients.
    """
    import xarray as xr

    if dim not in values.dims:
        raise ScenarioError(unknown("dimension", dim, map(str, values.dims), "convergence"))
    total = values.sizes[dim]
    chosen = _sizes(total, sizes)
    if half_width is not None and not (np.isfinite(half_width) and half_width > 0.0):
        raise ScenarioError(f"convergence: half_width = {half_width!r} must be above 0.")
    check_level(level)
    outer = tuple(d for d in values.dims if d != dim)
    numbers = np.asarray(values.transpose(*outer, dim).values, dtype=np.float64)
    valid = np.isfinite(numbers)
    events = bool(np.all(~valid | (numbers == 0.0) | (numbers == 1.0)))
    n = np.cumsum(valid, axis=-1)[..., chosen - 1].astype(np.float64)
    mean, error, lower, upper = (_of_events if events else _of_numbers)(
        np.where(valid, numbers, 0.0), valid, n, chosen, level
    )
    unit = {"units": str(values.attrs.get("units", "1"))}
    if "carsim_units" in values.attrs:
        unit["carsim_units"] = str(values.attrs["carsim_units"])
    percent = f"{100 * level:g} %"
    title = str(values.attrs.get("long_name", values.name if values.name is not None else "values"))
    found = {
        "estimate": (mean, unit, f"{'risk' if events else 'mean'} of {title}"),
        "standard_error": (error, unit, "Monte Carlo standard error"),
        "lower": (lower, unit, f"lower end of the {percent} interval"),
        "upper": (upper, unit, f"upper end of the {percent} interval"),
        "half_width": (0.5 * (upper - lower), unit, f"half-width of the {percent} interval"),
        "n": (n, {"units": "1"}, "patients counted"),
    }
    result = xr.Dataset(
        {
            name: xr.Variable((*outer, "size"), data, about | {"long_name": words})
            for name, (data, about, words) in found.items()
        },
        coords={
            **{name: c for name, c in values.coords.items() if dim not in c.dims},
            "size": ("size", chosen, {"units": "1", "long_name": "patients simulated"}),
        },
        attrs={
            "values": title,
            "level": level,
            "method": "wilson" if events else "student",
            "error_falls_with": "the square root of the number of patients (plain Monte Carlo)",
        },
    )
    count = {"units": "1"}
    words = "patients that halve the standard error"
    four = np.full(n.shape[:-1], 4.0 * chosen[-1])
    result["patients_to_halve"] = (outer, four, count | {"long_name": words})
    if half_width is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            if events:
                needed = _for_wilson(mean[..., -1], half_width, level)
            else:
                spread = error[..., -1] * np.sqrt(n[..., -1])
                needed = (_quantile(level) * spread / half_width) ** 2
            patients = np.ceil(needed * chosen[-1] / n[..., -1])
        words = f"patients for a half-width of {half_width:g}"
        result["patients_for_half_width"] = (outer, patients, count | {"long_name": words})
    return result


def _sizes(total: int, sizes: Sequence[int] | None) -> NDArray[np.int64]:
    if sizes is None:
        spaced = np.geomspace(min(_LEAST, max(total, 1)), max(total, 1), _SIZES)
        sizes = np.unique(np.round(spaced).astype(np.int64)).tolist()
    chosen = np.asarray(sizes, dtype=np.int64)
    if chosen.ndim != 1 or chosen.size == 0 or chosen.min() < 1 or chosen.max() > total:
        raise ScenarioError(
            f"convergence: sizes = {sizes!r} must be numbers of patients from 1 to {total}."
        )
    return np.unique(chosen)


def _of_events(
    numbers: Array, valid: NDArray[np.bool_], n: Array, chosen: NDArray[np.int64], level: float
) -> tuple[Array, Array, Array, Array]:
    events = np.cumsum(numbers, axis=-1)[..., chosen - 1]
    lower, upper = wilson_interval(events, n, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = events / n
        return share, np.sqrt(share * (1.0 - share) / n), lower, upper


def _of_numbers(
    numbers: Array, valid: NDArray[np.bool_], n: Array, chosen: NDArray[np.int64], level: float
) -> tuple[Array, Array, Array, Array]:
    from scipy.special import stdtrit

    # Differences to the mean of all keep the running sum of squares from cancelling.
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = numbers.sum(axis=-1, keepdims=True) / valid.sum(axis=-1, keepdims=True)
        away = np.where(valid, numbers - middle, 0.0)
        sums = np.cumsum(away, axis=-1)[..., chosen - 1]
        squares = np.cumsum(away**2, axis=-1)[..., chosen - 1]
        variance = np.where(n > 1, (squares - sums**2 / n) / (n - 1.0), np.nan)
        mean, error = middle + sums / n, np.sqrt(np.maximum(variance, 0.0) / n)
    reach = stdtrit(np.maximum(n - 1.0, 1.0), 0.5 + 0.5 * level) * error
    return mean, error, mean - reach, mean + reach


def _for_wilson(share: Array, half_width: float, level: float) -> Array:
    """Patients at which Wilson's interval has the half-width, not rounded."""
    # h^2 (n + z^2)^2 = z^2 (share (1 - share) n + z^2 / 4), the larger root
    z2, h2 = _quantile(level) ** 2, half_width**2
    b = 2.0 * h2 * z2 - z2 * share * (1.0 - share)
    c = h2 * z2**2 - 0.25 * z2**2
    return np.asarray(
        np.maximum((-b + np.sqrt(np.maximum(b**2 - 4.0 * h2 * c, 0.0))) / (2.0 * h2), 1.0)
    )


def _quantile(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + 0.5 * level)
