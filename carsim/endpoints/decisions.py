"""Which duration, or which strategy, is best under a stated loss, and how sure that is.

The loss of an option is `loss_per_event` times its risk plus its cost. Nobody can say what an event
is worth: the options that are ever best, and where one takes over from the next, follow from the
lower convex hull of (cost, risk) and are given as well.

References
----------
B. Efron (1979). Ann Stat 7:1, the bootstrap.
B. A. van Hout, M. J. Al, G. S. Gordon, F. F. Rutten (1994). Health Econ 3:309, the probability of
being best over what an event is worth (the acceptability curve).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carsim.endpoints.differences import tango_interval
from carsim.endpoints.intervals import Array, check_level, wilson_interval
from carsim.endpoints.risk import check_events
from carsim.errors import CarsimError, ScenarioError, unknown
from carsim.streams import check_seed, key
from carsim.units import conversion_factor

if TYPE_CHECKING:
    import xarray as xr

_MOST_NUMBERS = 2**22  # of a bootstrap at once: 32 MiB


def optimal_choice(
    values: xr.DataArray,
    over: str,
    *,
    cost: Mapping[object, float] | ArrayLike,
    loss_per_event: ArrayLike,
    unit: str = "1",
    dim: str = "patient",
    level: float = 0.95,
    replicates: int = 4000,
    seed: int = 0,
) -> xr.Dataset:
    """Expected loss of each option, the best one, and the probability that it is.

    Parameters
    ----------
    values : xarray.DataArray
        1 (event), 0 (none) or NaN along `dim` and `over`, the same patients under every option.
        Patients with a NaN under any option are left out.
    over : str
        Dimension of the options.
    cost : mapping of label to float, or array_like, shape (n_options,)
        Cost of each option, in `unit`; the same for all patients.
    loss_per_event : float or array_like, shape (m,)
        Loss of one event, in `unit`.
    unit : str
        Unit of cost and loss, in words of your own ("day", "EUR").
    dim : str
        Dimension of the patients.
    level : float
        Level of the intervals.
    replicates : int
        Bootstrap replicates.
    seed : int
        Seed of the bootstrap; it depends on nothing else.

    Returns
    -------
    xarray.Dataset
        Over the other dimensions, `loss_per_event` if it is an array, and `over`: `risk`, `cost`,
        `loss` with `loss_lower` and `loss_upper` (Wilson's interval of the risk), `excess` over the
        best option with `excess_lower` and `excess_upper` (Tango's interval, paired by patient; as
        if the best had been named beforehand) and `probability_best`: in how many cohorts drawn
        from this one with replacement the option is best (options that tie share). `best` is the
        label of the least loss, of the cheaper one when two are equal, and NaN or empty without any
        patient. `n` and `excluded` count patients.

    Raises
    ------
    ScenarioError
        No such dimension or label, costs of another number, or values that are not events.

    Notes
    -----
    A bootstrap cannot draw an event that no patient had: with few events `probability_best` is too
    sure of itself, and the intervals, which are not drawn, are the better guide.
    """
    import xarray as xr

    check_events(values, dim, "optimal_choice")
    if over not in values.dims or over == dim:
        others = [str(d) for d in values.dims if d != dim]
        raise ScenarioError(unknown("dimension", over, others, "optimal_choice"))
    check_level(level)
    check_seed(seed, "optimal_choice")
    if replicates < 1:
        raise ScenarioError(f"optimal_choice: replicates = {replicates!r} must be 1 or more.")
    labels = np.asarray(values[over].values)
    costs = _costs(labels, over, cost)
    worth = np.asarray(loss_per_event, dtype=np.float64)
    if worth.ndim > 1 or not bool(np.all(np.isfinite(worth) & (worth >= 0.0))):
        raise ScenarioError(
            f"optimal_choice: loss_per_event = {loss_per_event!r} must be a number or a list of "
            "numbers, none below 0."
        )
    outer = tuple(d for d in values.dims if d not in (over, dim))
    table = values.transpose(*outer, dim, over)
    cells = np.asarray(table.values, dtype=np.float64).reshape(-1, *table.shape[-2:])
    columns: dict[str, list[NDArray[Any]]] = {}
    for number, events in enumerate(cells):
        stream = key(seed, f"bootstrap {number}")
        found = _cell(events, costs, np.atleast_1d(worth), level, replicates, stream)
        for name, column in found.items():
            columns.setdefault(name, []).append(column)
    shape = table.shape[:-2]
    percent = f"{100 * level:g} %"
    along = () if worth.ndim == 0 else ("loss_per_event",)
    described = {
        "risk": ((over,), "1", "risk"),
        "loss": ((*along, over), unit, "expected loss"),
        "loss_lower": ((*along, over), unit, f"lower end of the {percent} interval of the loss"),
        "loss_upper": ((*along, over), unit, f"upper end of the {percent} interval of the loss"),
        "excess": ((*along, over), unit, "expected loss above the best option"),
        "excess_lower": ((*along, over), unit, f"lower end of the {percent} interval, paired"),
        "excess_upper": ((*along, over), unit, f"upper end of the {percent} interval, paired"),
        "probability_best": ((*along, over), "1", "probability of being the best option"),
        "best": (along, "1", "best option"),
        "n": ((), "1", "patients counted"),
        "excluded": ((), "1", "patients left out (failed or not at risk under any option)"),
    }
    sizes = {over: len(labels), "loss_per_event": worth.size}
    variables: dict[str, xr.Variable] = {
        "cost": xr.Variable((over,), costs, {"units": unit, "long_name": "cost"})
    }
    for name, (dims, units, words) in described.items():
        data: NDArray[Any] = np.array(columns[name]).reshape(shape + tuple(sizes[d] for d in dims))
        attributes = {"units": units, "long_name": words}
        if name == "best":
            data = _labels_of(data, labels)
            attributes = dict(values[over].attrs) | {"long_name": words}
        variables[name] = xr.Variable((*outer, *dims), data, attributes)
    kept = {c: v for c, v in values.coords.items() if dim not in v.dims}
    if worth.ndim:
        kept["loss_per_event"] = xr.DataArray(
            worth, dims=along, attrs={"units": unit, "long_name": "loss per event"}
        )
    title = values.attrs.get("long_name", values.name if values.name is not None else "event")
    about: dict[str, Any] = {"event": str(title), "over": over, "level": level}
    about |= {"replicates": replicates, "seed": str(seed)}
    if not worth.ndim:
        about["loss_per_event"] = float(worth)
    return xr.Dataset(variables, coords=kept, attrs=about)


def optimal_duration(
    values: xr.DataArray,
    over: str,
    *,
    loss_per_event: ArrayLike,
    loss_per_day: float = 1.0,
    unit: str = "day",
    dim: str = "patient",
    level: float = 0.95,
    replicates: int = 4000,
    seed: int = 0,
) -> xr.Dataset:
    """Best length of a treatment, when every day of it and every event has its price.

    Parameters
    ----------
    values, loss_per_event, dim, level, replicates, seed
        As for `optimal_choice`.
    over : str
        Dimension of the durations; its values must be numbers with a unit of time. Times of the
        simulation, such as the stop of a treatment, count from the infusion.
    loss_per_day : float
        Loss of one day of treatment, in `unit`. With the default of one, losses are counted in days
        of treatment, and `loss_per_event` is the number of days that an event is worth.
    unit : str
        Unit of the losses.

    Returns
    -------
    xarray.Dataset
        As from `optimal_choice`, with the cost of each duration.

    Raises
    ------
    ScenarioError
        The values along `over` are not durations.
    """
    check_events(values, dim, "optimal_duration")
    if over not in values.dims or over == dim:
        others = [str(d) for d in values.dims if d != dim]
        raise ScenarioError(unknown("dimension", over, others, "optimal_duration"))
    axis = values[over]
    given = str(axis.attrs.get("carsim_units", axis.attrs.get("units", "")))
    try:
        length = conversion_factor(given, "day")
    except CarsimError:
        length = np.nan
    if axis.dtype.kind not in "iuf" or np.isnan(length):
        raise ScenarioError(
            f"optimal_duration: '{over}' is in [{given}] and must hold numbers with a unit of "
            "time, such as 'day', as its attribute 'units'. Set it, or give the cost of each "
            "option to optimal_choice."
        )
    # The axis of a sweep that holds times says so, and when the infusion is.
    since = float(axis.attrs.get("infusion", 0.0))
    days = (np.asarray(axis.values, dtype=np.float64) - since) * length
    return optimal_choice(
        values,
        over,
        cost=loss_per_day * days,
        loss_per_event=loss_per_event,
        unit=unit,
        dim=dim,
        level=level,
        replicates=replicates,
        seed=seed,
    )


def switching_points(choice: xr.Dataset) -> xr.Dataset:
    """Which option is best for which loss per event, in closed form.

    Parameters
    ----------
    choice : xarray.Dataset
        From `optimal_choice` or `optimal_duration`, over the options only; or any Dataset with
        `risk` and `cost` along the dimension named by the attribute `over`.

    Returns
    -------
    xarray.Dataset
        Along `step`, from a loss per event of zero up: `option` (label), its `risk` and `cost`, and
        the losses per event `starts` and `stops` between which it is best (infinite for the last).
        Options that are never best do not appear. The points are those of the estimated risks;
        for their uncertainty see `probability_best` over `loss_per_event`.

    Raises
    ------
    ScenarioError
        There are dimensions besides the options.
    """
    import xarray as xr

    over = str(choice.attrs["over"])
    if choice["risk"].dims != (over,):
        others = ", ".join(str(d) for d in choice["risk"].dims if d != over)
        raise ScenarioError(
            f"switching_points: the risk also varies along {others}. Choose one value first, for "
            "example with choice.isel(...)."
        )
    risk = np.asarray(choice["risk"].values, dtype=np.float64)
    cost = np.asarray(choice["cost"].values, dtype=np.float64)
    steps, starts = _lower_hull(risk, cost)
    unit = str(choice["cost"].attrs.get("units", "1"))
    words = {"units": unit}
    return xr.Dataset(
        {
            "option": ("step", np.asarray(choice[over].values)[steps], dict(choice[over].attrs)),
            "risk": ("step", risk[steps], dict(choice["risk"].attrs)),
            "cost": ("step", cost[steps], dict(choice["cost"].attrs)),
            "starts": ("step", starts, words | {"long_name": "best from this loss per event"}),
            "stops": (
                "step",
                np.append(starts[1:], np.inf),
                words | {"long_name": "best up to this loss per event"},
            ),
        },
        attrs={"over": over},
    )


def _labels_of(positions: NDArray[np.int64], labels: NDArray[Any]) -> NDArray[Any]:
    """Labels by position; NaN, or empty, where it is -1."""
    picked = labels[np.maximum(positions, 0)]
    if not bool(np.any(positions < 0)):
        return picked
    return np.where(positions < 0, "" if labels.dtype.kind in "OUST" else np.nan, picked)


def _costs(labels: NDArray[np.generic], over: str, cost: object) -> Array:
    names = labels.tolist()
    if isinstance(cost, Mapping):
        for name in cost:
            if name not in names:
                raise ScenarioError(
                    unknown(f"value of '{over}'", str(name), map(str, names), "optimal_choice")
                )
        missing = [str(name) for name in names if name not in cost]
        if missing:
            raise ScenarioError(f"optimal_choice: no cost is given of {', '.join(missing)}.")
        cost = [cost[name] for name in names]
    costs = np.asarray(cost, dtype=np.float64)
    if costs.shape != labels.shape or not bool(np.all(np.isfinite(costs))):
        raise ScenarioError(
            f"optimal_choice: cost = {cost!r}. Give one finite number for each of the "
            f"{len(labels)} options along '{over}'."
        )
    return costs


def _cell(
    events: Array, costs: Array, worths: Array, level: float, replicates: int, stream: int
) -> dict[str, NDArray[Any]]:
    """Everything of one cell; `events` is (n, K), results are (m, K), (K,), (m,) or scalars."""
    whole = np.isfinite(events).all(axis=1)
    # Patients with the same events under all options are alike: draw kinds, not patients.
    kinds, counts = np.unique(events[whole], axis=0, return_counts=True)
    n, total = int(whole.sum()), events.shape[0]
    k = counts @ kinds if n else np.zeros(costs.size)
    with np.errstate(invalid="ignore"):
        risk = k / n if n else np.full(costs.size, np.nan)
    low, high = wilson_interval(k, np.full(costs.size, float(n)), level)
    loss = worths[:, np.newaxis] * risk + costs
    order = np.argsort(costs, kind="stable")
    best = order[np.argmin(loss[:, order], axis=1)]
    only_here = np.einsum("p,pi,pj->ij", counts * 1.0, kinds, 1.0 - kinds)
    lower, upper = tango_interval(only_here[:, best].T, only_here[best], n, level)
    dearer = costs - costs[best][:, np.newaxis]
    itself = np.arange(costs.size) == best[:, np.newaxis]
    worth = worths[:, np.newaxis]
    return {
        "risk": risk,
        "loss": loss,
        "loss_lower": worth * low + costs,
        "loss_upper": worth * high + costs,
        "excess": loss - np.take_along_axis(loss, best[:, np.newaxis], axis=1),
        "excess_lower": np.where(itself, 0.0, worth * lower + dearer),
        "excess_upper": np.where(itself, 0.0, worth * upper + dearer),
        "probability_best": _probability_best(kinds, counts, costs, worths, replicates, stream),
        "best": best if n else np.full(worths.size, -1),
        "n": np.array(float(n)),
        "excluded": np.array(float(total - n)),
    }


def _probability_best(
    kinds: Array,
    counts: NDArray[np.int64],
    costs: Array,
    worths: Array,
    replicates: int,
    stream: int,
) -> Array:
    """Share of bootstrap cohorts in which each option has the least loss, shape (m, K)."""
    n = int(counts.sum())
    if n == 0:
        return np.full((worths.size, costs.size), np.nan)
    generator = np.random.Generator(np.random.Philox(key=stream % 2**64))
    wins = np.zeros((worths.size, costs.size))
    at_once = max(1, _MOST_NUMBERS // max(len(counts), worths.size * costs.size))
    for start in range(0, replicates, at_once):
        drawn = generator.multinomial(n, counts / n, size=min(at_once, replicates - start))
        risk = drawn @ kinds / n
        loss = worths[:, np.newaxis, np.newaxis] * risk + costs
        least = loss == loss.min(axis=2, keepdims=True)
        wins += (least / least.sum(axis=2, keepdims=True)).sum(axis=1)
    return wins / replicates


def _lower_hull(risk: Array, cost: Array) -> tuple[NDArray[np.int64], Array]:
    """Options on the hull from the cheapest on, and the loss per event from which each is best."""
    known = np.flatnonzero(np.isfinite(risk))
    if known.size == 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    steps = [int(known[np.lexsort((risk[known], cost[known]))[0]])]
    starts = [0.0]
    while True:
        here = steps[-1]
        better = known[risk[known] < risk[here]]
        if better.size == 0:
            return np.array(steps), np.array(starts)
        price = (cost[better] - cost[here]) / (risk[here] - risk[better])
        # of options that take over at the same price the one with the least risk
        steps.append(int(better[np.lexsort((risk[better], price))[0]]))
        starts.append(float(price.min()))
