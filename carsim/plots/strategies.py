"""How sure a risk is, and what one strategy changes against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from carsim.endpoints.convergence import convergence as running
from carsim.endpoints.differences import number_needed_to_treat
from carsim.endpoints.intervals import Array
from carsim.errors import ScenarioError, unknown
from carsim.plots.incidence import plain
from carsim.plots.theme import (
    COLORS,
    LIMIT,
    LINE_STYLES,
    axes_of,
    counted,
    groups_of,
    label_of,
    note,
    place_legend,
    tick_labels,
    words_of_group,
)

if TYPE_CHECKING:
    import xarray as xr

Table: TypeAlias = "xr.Dataset | Mapping[str, Any]"

POINTS = 120
FIRST_PATIENTS = 10  # before that the interval covers most of the axis


def convergence(
    dataset: xr.Dataset,
    event: str = "hbv_reactivation",
    *,
    by: str | None = None,
    level: float = 0.95,
    reference: float | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Running risk with its interval against the number of patients, to see if there are enough.

    The first n patients are a random sample like any other, so each point is the risk, with its
    Wilson interval, that a smaller cohort would have given. Failed patients are left out and do
    not count.

    Parameters
    ----------
    dataset : xarray.Dataset
        Results with the variable `event` (1, 0, NaN); the only dimensions left are "patient" and
        `by`.
    event : str
        Name of the event.
    by : str, optional
        Dimension, or coordinate on "patient", whose labels get a curve each.
    level : float
        Level of the interval.
    reference : float, optional
        A risk between 0 and 1 to compare with, drawn as a dotted line: a published one, or that of
        a larger cohort.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title of the panel.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ScenarioError
        An unknown event, further dimensions, or nobody who counts.
    """
    if event not in dataset:
        raise ScenarioError(unknown("variable", event, map(str, dataset.data_vars), "the result"))
    ax = axes_of(ax)
    failed, largest = 0, 1
    for number, (label, part) in enumerate(groups_of(dataset, by)):
        if part[event].dims != ("patient",):
            raise ScenarioError(
                f"Convergence is over patients, but '{event}' also varies along "
                f"{', '.join(str(d) for d in part[event].dims if d != 'patient')}. Choose one "
                "value first, for example with dataset.isel(...)."
            )
        total = part.sizes["patient"]
        found = running(part[event], level=level, sizes=sizes(total).tolist())
        found = found.isel(size=np.asarray(found["n"].values) > 0)
        if not found.sizes["size"]:
            raise ScenarioError(
                f"'{event}' is NaN for all patients{f' of {label}' if label else ''}: there is "
                "nothing to average."
            )
        n, middle, lower, upper = (
            np.asarray(found[name].values) for name in ("n", "estimate", "lower", "upper")
        )
        failed += total - int(n[-1])
        color = COLORS[number % len(COLORS)]
        ax.fill_between(n, 100 * lower, 100 * upper, color=color, alpha=0.18, linewidth=0)
        ax.plot(
            n,
            100 * middle,
            color=color,
            linestyle=LINE_STYLES[number % len(LINE_STYLES)],
            label=label or None,
        )
        final = f"{100 * middle[-1]:.1f} % ({100 * lower[-1]:.1f}–{100 * upper[-1]:.1f})"
        ax.annotate(
            final,
            xy=(float(n[-1]), float(100 * middle[-1])),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=color,
        )
        largest = max(largest, int(n[-1]))
    if reference is not None:
        ax.axhline(
            100 * reference, color=LIMIT, linewidth=1.0, linestyle=(0, (1, 1.5)), gid="reference"
        )
    ax.set_xscale("log")
    ax.set_xlim(min(FIRST_PATIENTS, largest), max(largest, FIRST_PATIENTS + 1))
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("Number of patients")
    ax.set_ylabel(f"{plain(label_of(dataset[event]))}:\nrisk with {100 * level:g} % interval (%)")
    ax.set_title(title)
    if failed:
        note(ax, f"{counted(failed, 'patient')} without a value left out")
    if by is not None:
        place_legend(ax, title=words_of_group(dataset, by))
    return ax


def sizes(n: int) -> NDArray[np.int64]:
    """Cohort sizes up to n, evenly spaced on a logarithmic axis."""
    first = min(FIRST_PATIENTS, n)
    return np.unique(np.rint(np.geomspace(first, n, POINTS)).astype(np.int64))


def differences(
    table: Table,
    *,
    dim: str | None = None,
    labels: Sequence[str] | None = None,
    reference: str = "",
    level: float = 0.95,
    harmful: bool = True,
    nnt: bool = True,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Risk differences with their intervals, a row each, and the number needed to treat.

    Parameters
    ----------
    table : xarray.Dataset or mapping of arrays
        `difference`, `lower`, `upper`: risk with the strategy minus that of the reference, between
        -1 and 1, over one dimension.
    dim : str, optional
        That dimension, whose coordinate has the words of the rows; the only one by default.
    labels : sequence of str, optional
        Words of the rows, in place of those of the coordinate.
    reference : str
        Words of the strategy that is compared with, for the label of the axis.
    level : float
        Level of the intervals, for the label of the axis; they are not computed here.
    harmful : bool
        Whether the event is bad: less of it is a benefit.
    nnt : bool
        Whether to write the number needed to treat at the right.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title of the panel.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ScenarioError
        A missing variable, more than one dimension, or as many labels as there are not rows.

    References
    ----------
    D. G. Altman (1998). Confidence intervals for the number needed to treat. BMJ 317:1309: an
    interval of the difference that has zero inside becomes two pieces that meet at infinity.
    """
    values = [_row_values(table, name) for name in ("difference", "lower", "upper")]
    middle, lower, upper = values
    words = _row_labels(table, dim, labels, len(middle))
    needed = _numbers_needed(middle, lower, upper, level, harmful)
    ax = axes_of(ax)
    places = np.arange(len(middle))[::-1]
    for place, center, low, high in zip(places, middle, lower, upper, strict=True):
        if not np.isfinite(center):
            ax.text(0.0, place, "no data", ha="center", va="center", fontsize=7, color="#555555")
            continue
        better = high < 0 if harmful else low > 0
        worse = low > 0 if harmful else high < 0
        color = COLORS[0] if better else COLORS[1] if worse else "#555555"
        ax.plot([100 * low, 100 * high], [place, place], color=color, solid_capstyle="butt")
        ax.plot(100 * center, place, "o", color=color, markersize=5)
        text = f"{100 * center:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        if nnt:
            text += "\n" + needed[int(len(middle) - 1 - place)]
        ax.annotate(
            text.replace("-", "−"),
            xy=(1.0, float(place)),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            linespacing=1.25,
        )
    ax.axvline(0.0, color=LIMIT, linewidth=0.8, zorder=0)
    ax.set_yticks(places, words)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(middle) - 0.4)
    ax.margins(x=0.08)
    against = f" against {reference}" if reference else ""
    ax.set_xlabel(
        f"Risk difference{against} (percentage points, {100 * level:g} % interval)\n"
        "below 0: fewer events"
    )
    ax.set_title(title)
    return ax


def _numbers_needed(
    middle: Array, lower: Array, upper: Array, level: float, harmful: bool
) -> list[str]:
    """Altman's words for each row; of a wanted event, more is a benefit."""
    import xarray as xr

    # The ends change places with the sign.
    rows = (middle, lower, upper) if harmful else (-middle, -upper, -lower)
    names = ("difference", "lower", "upper")
    table = xr.Dataset(
        {name: ("row", values) for name, values in zip(names, rows, strict=True)},
        attrs={"level": level},
    )
    return [str(words) for words in number_needed_to_treat(table)["words"].values]


def _row_values(table: Table, name: str) -> NDArray[np.float64]:
    if name not in table:
        raise ScenarioError(unknown("variable", name, map(str, table), "the table of differences"))
    values = np.asarray(table[name], dtype=np.float64)
    if values.ndim != 1:
        raise ScenarioError(
            f"'{name}' has {values.ndim} dimensions; differences are drawn over one. Choose one "
            "value of the others first, for example with table.isel(...)."
        )
    return values


def _row_labels(
    table: Table, dim: str | None, labels: Sequence[str] | None, rows: int
) -> list[str]:
    if labels is None:
        if not hasattr(table, "dims"):
            raise ScenarioError("differences: arrays have no names. Give labels, one a row.")
        names = [str(d) for d in table["difference"].dims]
        chosen = names[0] if dim is None else dim
        if chosen not in names:
            raise ScenarioError(unknown("dimension", chosen, names, "the table of differences"))
        labels = tick_labels(table[chosen])[0]
    if len(labels) != rows:
        raise ScenarioError(f"differences: {len(labels)} labels for {rows} rows. Give one a row.")
    return list(labels)
