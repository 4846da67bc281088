"""Risks with honest intervals: how sure is "12 of 400 virtual patients".

The intervals say how far a finite cohort may be from the risk of an infinite one under the same
model and distributions. They say nothing about whether the model is right.

Failed patients (NaN) are left out of numerator and denominator, and counted.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.endpoints.intervals import INTERVALS
from carsim.endpoints.slabs import slabs
from carsim.errors import ScenarioError, unknown

if TYPE_CHECKING:
    import xarray as xr

IntervalMethod: TypeAlias = Literal["wilson", "jeffreys"]


def check_events(values: xr.DataArray, dim: str, who: str) -> None:
    """Check that values are events of patients.

    Parameters
    ----------
    values : xarray.DataArray
        What is checked: 1, 0 or NaN along `dim`.
    dim : str
        Dimension of the patients.
    who : str
        Who asks, for the message.

    Raises
    ------
    ScenarioError
        No such dimension, or values other than 0, 1, NaN.
    """
    if dim not in values.dims:
        raise ScenarioError(unknown("dimension", dim, map(str, values.dims), who))
    for _, numbers in slabs(values, dim):
        if bool(np.any(np.isfinite(numbers) & (numbers != 0.0) & (numbers != 1.0))):
            raise ScenarioError(
                f"{who}: '{values.name}' holds values other than 0, 1 and NaN, so it is not an "
                "event. Compare it with a threshold first."
            )


def risk(
    values: xr.DataArray,
    *,
    dim: str = "patient",
    by: str | None = None,
    level: float = 0.95,
    method: IntervalMethod = "wilson",
) -> xr.Dataset:
    """Share of patients with an event, with its interval.

    Parameters
    ----------
    values : xarray.DataArray
        1 (event), 0 (none) or NaN (failed or not at risk) along `dim`.
    dim : str
        Dimension to count over.
    by : str, optional
        Coordinate on `dim` (such as "serostatus"): one risk for each of its labels.
    level : float
        Level of the interval.
    method : {"wilson", "jeffreys"}
        Kind of interval.

    Returns
    -------
    xarray.Dataset
        `risk`, `lower`, `upper` (between 0 and 1), `events`, `n` (counted patients) and `excluded`
        (NaN), over the other dimensions of `values` and, with `by`, one more of that name.

    Raises
    ------
    ScenarioError
        No such dimension, coordinate or method, or values other than 0, 1, NaN.
    """
    import xarray as xr

    check_events(values, dim, "risk")
    if method not in INTERVALS:
        raise ScenarioError(unknown("interval", method, INTERVALS, "risk"))
    labels: list[Any] = [None]
    if by is not None:
        if by not in values.coords or values.coords[by].dims != (dim,):
            on_dim = [str(name) for name, c in values.coords.items() if c.dims == (dim,)]
            raise ScenarioError(unknown(f"coordinate on '{dim}'", by, on_dim, "risk"))
        texts = (part.tolist() for _, part in slabs(values.coords[by], dim))
        labels = list(dict.fromkeys(itertools.chain.from_iterable(texts)))
    parts = [_risk(values, dim, by, label, level, method) for label in labels]
    return parts[0] if by is None else xr.concat(parts, dim=xr.Variable((by,), labels))


def _risk(
    values: xr.DataArray, dim: str, by: str | None, label: Any, level: float, method: IntervalMethod
) -> xr.Dataset:
    """Risk of everybody, or of the patients with one label."""
    import xarray as xr

    kept = values.drop_vars([c for c in values.coords if dim in values.coords[c].dims])
    dims = tuple(d for d in kept.dims if d != dim)
    axis = kept.get_axis_num(dim)
    n = np.zeros([kept.sizes[d] for d in dims])
    events, total = np.zeros_like(n), 0
    for part, numbers in slabs(kept, dim):
        if by is not None:
            chosen = np.flatnonzero(values.coords[by].isel({dim: part}).values == label)
            numbers = np.take(numbers, chosen, axis=axis)
        valid = np.isfinite(numbers)
        n += valid.sum(axis=axis)
        events += np.where(valid, numbers, 0.0).sum(axis=axis)
        total += numbers.shape[axis]
    lower, upper = INTERVALS[method](events, n, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = events / n
    title = str(values.attrs.get("long_name", values.name if values.name is not None else "event"))
    percent = f"{100 * level:g} %"

    def variable(data: NDArray[np.float64], words: str) -> xr.Variable:
        return xr.Variable(dims, data, {"units": "1", "long_name": words})

    return xr.Dataset(
        {
            "risk": variable(share, f"risk of {title}"),
            "lower": variable(lower, f"lower end of the {percent} interval"),
            "upper": variable(upper, f"upper end of the {percent} interval"),
            "events": variable(events, "patients with the event"),
            "n": variable(n, "patients counted"),
            "excluded": variable(total - n, "patients left out (failed or not at risk)"),
        },
        coords={name: c for name, c in kept.coords.items() if dim not in c.dims},
        attrs={"event": title, "level": level, "method": method},
    )
