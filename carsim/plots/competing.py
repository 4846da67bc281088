"""Incidence of several causes of which only the first can happen to a patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.incidence import follow_up_axis, write_numbers
from carsim.plots.theme import COLORS, LINE_STYLES, axes_of, place_legend

Curves: TypeAlias = Mapping[str, ArrayLike]
NO_EVENT = "#F2F2F2"
TOLERANCE = 1e-9


def competing_incidence(
    time: ArrayLike,
    incidence: Curves,
    *,
    lower: Curves | None = None,
    upper: Curves | None = None,
    at_risk: ArrayLike | None = None,
    follow_up: float | None = None,
    origin: float = 0.0,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Step curves of the cumulative incidence of each cause, a band each, and numbers at risk.

    The estimate is not made here: give that of Aalen and Johansen, in which a patient who had one
    event is no longer at risk of the others. One minus Kaplan-Meier of each cause alone would
    overstate them all.

    Parameters
    ----------
    time : array_like, shape (m,), day
        Times of the steps, ascending; the curves hold from each until the next.
    incidence : mapping of str to array_like, shape (m,)
        Cumulative incidence of each cause, between 0 and 1, by its words.
    lower, upper : mapping of str to array_like, shape (m,), optional
        Pointwise band of each cause, or of some; a cause has both or none.
    at_risk : array_like, shape (m,), optional
        Patients without any event and still followed just before each time; written below the
        axis.
    follow_up : float, day, optional
        End of follow-up; the last time by default.
    origin : float, day
        Time from which is counted.
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
        Arrays of different lengths, times that do not ascend, an incidence that falls or leaves 0
        to 1, causes that sum to more than 1, or a band of an unknown cause.
    """
    steps, curves = _checked(time, incidence)
    low, high = _band(lower, "lower", steps, curves), _band(upper, "upper", steps, curves)
    if set(low) != set(high):
        raise ScenarioError(
            "competing_incidence: lower and upper name different causes. Give both ends of a band."
        )
    ax = axes_of(ax)
    end = float(steps[-1] if follow_up is None else follow_up)
    days = np.append(steps, max(end, steps[-1])) - origin
    for number, (cause, curve) in enumerate(curves.items()):
        color = COLORS[number % len(COLORS)]
        if cause in low:
            ax.fill_between(
                days,
                100 * held(low[cause]),
                100 * held(high[cause]),
                step="post",
                color=color,
                alpha=0.18,
                linewidth=0,
            )
        ax.step(
            days,
            100 * held(curve),
            where="post",
            color=color,
            linestyle=LINE_STYLES[number % len(LINE_STYLES)],
            label=cause,
        )
    _finish(ax, steps, at_risk, end, origin, title)
    ax.set_ylim(bottom=0.0)
    place_legend(ax)
    return ax


def stacked_incidence(
    time: ArrayLike,
    incidence: Curves,
    *,
    at_risk: ArrayLike | None = None,
    follow_up: float | None = None,
    origin: float = 0.0,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Share of the patients in each state over time: causes stacked, and the rest without event.

    The top edge of the colored areas is the share that had any event, so the figure shows at a
    glance that causes compete for the same patients. It has no bands: use `competing_incidence`.

    Parameters
    ----------
    time, incidence, at_risk, follow_up, origin, ax, title
        As for `competing_incidence`; causes are stacked in their order, the first at the bottom.

    Returns
    -------
    matplotlib.axes.Axes
    """
    steps, curves = _checked(time, incidence)
    ax = axes_of(ax)
    end = float(steps[-1] if follow_up is None else follow_up)
    days = np.append(steps, max(end, steps[-1])) - origin
    base = np.zeros(len(days))
    for number, (cause, curve) in enumerate(curves.items()):
        top = base + 100 * held(curve)
        ax.fill_between(
            days,
            base,
            top,
            step="post",
            color=COLORS[number % len(COLORS)],
            alpha=0.65,
            linewidth=0,
            label=cause,
        )
        ax.step(days, top, where="post", color="white", linewidth=0.8)
        base = top
    ax.fill_between(
        days, base, 100.0, step="post", color=NO_EVENT, linewidth=0, label="none of these"
    )
    _finish(ax, steps, at_risk, end, origin, title)
    ax.set_ylim(0.0, 100.0)
    ax.set_ylabel("Share of patients (%)")
    handles = ax.get_legend_handles_labels()[0]
    place_legend(ax, handles[::-1], beside=True)  # as they lie on each other
    return ax


def held(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a step function with the last one held to the end of follow-up."""
    return np.append(curve, curve[-1])


def _finish(
    ax: Axes,
    steps: NDArray[np.float64],
    at_risk: ArrayLike | None,
    end: float,
    origin: float,
    title: str,
) -> None:
    ticks = follow_up_axis(ax, end - origin)
    ax.set_ylabel("Cumulative incidence (%)")
    ax.set_title(title)
    if at_risk is None:
        return
    counts = np.asarray(at_risk, dtype=np.float64)
    if counts.shape != steps.shape:
        raise ScenarioError(
            f"at_risk has shape {counts.shape}, but there are {len(steps)} times. Give one number "
            "a time."
        )
    # Just before a tick: the number at the next step; after the last step it is not known.
    where = np.searchsorted(steps, ticks + origin, side="left")
    known = where < len(steps)
    padded = np.append(counts, np.nan)
    write_numbers(ax, ticks[known], [("#333333", padded[where[known]])])


def _checked(
    time: ArrayLike, incidence: Curves
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    steps = np.asarray(time, dtype=np.float64)
    if steps.ndim != 1 or not steps.size or not incidence:
        raise ScenarioError(
            "incidence: there are no times or no causes. Give an array of times and, for each "
            "cause, the incidence at these times."
        )
    if bool(np.any(np.diff(steps) < 0)):
        raise ScenarioError("incidence: the times do not ascend. Sort them with their curves.")
    curves = {cause: _curve(cause, values, steps) for cause, values in incidence.items()}
    for cause, curve in curves.items():
        if bool(np.any(np.diff(curve) < -TOLERANCE)):
            raise ScenarioError(f"incidence of {cause!r} falls; a cumulative incidence cannot.")
    total = float(sum(curves.values(), np.zeros(len(steps))).max())
    if total > 1.0 + TOLERANCE:
        raise ScenarioError(
            f"incidence: the causes sum to {total:.3g}, more than all patients. Competing causes "
            "need the estimate of Aalen and Johansen; one minus Kaplan-Meier of each is too large."
        )
    return steps, curves


def _band(
    given: Curves | None,
    which: str,
    steps: NDArray[np.float64],
    curves: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    for cause in given or {}:
        if cause not in curves:
            raise ScenarioError(unknown("cause", cause, curves, f"the argument {which}"))
    return {cause: _curve(cause, values, steps) for cause, values in (given or {}).items()}


def _curve(cause: str, values: ArrayLike, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    curve = np.asarray(values, dtype=np.float64)
    if curve.shape != steps.shape:
        raise ScenarioError(
            f"incidence of {cause!r} has shape {curve.shape}, but there are {len(steps)} times. "
            "Give one value a time."
        )
    if not bool(np.all((curve >= -TOLERANCE) & (curve <= 1.0 + TOLERANCE))):
        raise ScenarioError(
            f"incidence of {cause!r} is not between 0 and 1 everywhere. Give shares, not percent."
        )
    return curve
