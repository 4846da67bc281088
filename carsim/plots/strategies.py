"""How sure a risk is, and what one strategy changes against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from carsim.endpoints.intervals import wilson_interval
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
        values = np.asarray(part[event].values, dtype=np.float64)
        counts = values[np.isfinite(values)]
        failed += values.size - counts.size
        if not counts.size:
            raise ScenarioError(
                f"'{event}' is NaN for all patients{f' of {label}' if label else ''}: there is "
                "nothing to average."
            )
        n = sizes(counts.size)
        events = np.cumsum(counts)[n - 1]
        lower, upper = wilson_interval(events, n, level)
        color = COLORS[number % len(COLORS)]
        ax.fill_between(n, 100 * lower, 100 * upper, color=color, alpha=0.18, linewidth=0)
        ax.plot(
            n,
            100 * events / n,
            color=color,
            linestyle=LINE_STYLES[number % len(LINE_STYLES)],
            label=label or None,
        )
        final = f"{100 * events[-1] / n[-1]:.1f} % ({100 * lower[-1]:.1f}–{100 * upper[-1]:.1f})"
        ax.annotate(
            final,
            xy=(float(n[-1]), float(100 * events[-1] / n[-1])),
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
            sign = -1.0 if harmful else 1.0
            ends = sorted((sign * float(low), sign * float(high)))
            text += "\n" + needed_to_treat(sign * float(center), *ends)
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


def needed_to_treat(benefit: float, lower: float, upper: float) -> str:
    """Say the number needed to treat for one patient to benefit or to be harmed.

    Parameters
    ----------
    benefit, lower, upper : float
        Absolute gain by the treatment, between -1 and 1, and its interval; below zero is harm.

    Returns
    -------
    str
        "NNTB 12 (8 to 25)"; "NNTB 20 (NNTB 8 to ∞ to NNTH 33)" where zero is inside the interval.

    Examples
    --------
    >>> needed_to_treat(0.1, 0.05, 0.2)
    'NNTB 10 (5 to 20)'
    """
    if benefit == 0.0:
        return "NNT ∞"
    name = "NNTB" if benefit > 0 else "NNTH"
    found = f"{name} {_inverse(benefit)}"
    if lower <= 0.0 <= upper:
        best = f"NNTB {_inverse(upper)}" if upper > 0 else ""
        worst = f"NNTH {_inverse(lower)}" if lower < 0 else ""
        pieces = (best, "∞", worst) if benefit > 0 else (worst, "∞", best)
        return f"{found} ({' to '.join(piece for piece in pieces if piece)})"
    near, far = sorted((abs(lower), abs(upper)), reverse=True)
    return f"{found} ({_inverse(near)} to {_inverse(far)})"


def _inverse(difference: float) -> str:
    number = 1.0 / abs(difference)
    return f"{number:.1f}" if number < 9.95 and not number.is_integer() else f"{number:,.0f}"


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
