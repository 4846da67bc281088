"""Fourth section: when events happen, and what differs between strategies in the same patients."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.errors import ScenarioError
from carsim.hypertext import table
from carsim.report.question import event_words
from carsim.report.risks import MOST_SERIES, PANELS, held
from carsim.report.section import Section, readable, short
from carsim.report.view import LEVEL, Array, Axis, View

if TYPE_CHECKING:
    import xarray as xr

MOST_CURVES = 6
STEPS = 10_000


@dataclass(frozen=True)
class Paired:
    """Difference of two risks in the same patients.

    Attributes
    ----------
    difference, lower, upper : float
        Risk minus the risk under the reference, and its interval; shares from -1 to 1.
    only, only_reference : int
        Patients with the event only here, and only under the reference.
    n : int
        Patients that count in both.
    """

    difference: float
    lower: float
    upper: float
    only: int
    only_reference: int
    n: int


def paired_difference(event: Array, reference: Array, level: float = LEVEL) -> Paired:
    """Compare two treatments of the same patients (common random numbers).

    Parameters
    ----------
    event, reference : float64 array, shape (n,)
        1, 0 or NaN of the same patients; those with a NaN in either are left out.
    level : float
        Level of the interval.

    Returns
    -------
    Paired
        The interval is the normal one for paired shares, with its standard error
        sqrt(b + c - (b - c)^2 / n) / n of the discordant counts b and c. It has no width where
        no patient is discordant: the difference is then known only to be small.
    """
    both = np.isfinite(event) & np.isfinite(reference)
    n = int(both.sum())
    if n == 0:
        return Paired(np.nan, np.nan, np.nan, 0, 0, 0)
    only = int(np.sum(both & (event == 1) & (reference == 0)))
    only_reference = int(np.sum(both & (event == 0) & (reference == 1)))
    difference = (only - only_reference) / n
    error = np.sqrt(only + only_reference - (only - only_reference) ** 2 / n) / n
    reach = NormalDist().inv_cdf(0.5 + 0.5 * level) * float(error)
    return Paired(
        difference,
        max(-1.0, difference - reach),
        min(1.0, difference + reach),
        only,
        only_reference,
        n,
    )


def strategies(view: View) -> Section:
    """Show cumulative incidence, and differences to the first value of the first axis."""
    section = Section("When it happens, and what the strategies change")
    event = view.event
    if event is None:
        section.say("There is no yes-or-no endpoint, hence nothing to follow over time.")
        return section
    if f"{event}_time" in view.data:
        _incidence(section, view, event)
    else:
        section.say(f"No time of {event_words(view.events[event])} was kept.")
    if view.others:
        _differences(section, view, event)
    return section


def _incidence(section: Section, view: View, event: str) -> None:
    if not view.is_grid:
        section.say("Curves are drawn for grids only: a point of this design has no neighbors.")
        return
    from carsim.plots import as_png, incidence_figure

    axis = view.others[0] if view.others else None
    kind = view.kind
    at, where = held(view, [axis.name if axis else "", kind or ""])
    names = [event, f"{event}_time"]
    data = view.data[names].isel(at)
    if axis is not None:
        data = data.isel({axis.name: _some(len(axis.coordinate))})
    first, last = _times(view, event)
    if last is None:
        section.say(
            f"Nobody had {event_words(view.events[event])} in any cell: all curves stay at zero."
        )
    else:
        section.say(
            f"Over all cells, half of the events were found by day {short(first)} and nine in ten "
            f"by day {short(last)} (of the patients that had one)."
        )
    caption = (
        "Steps: share of patients in whom the event was found by then (Kaplan-Meier); bands: "
        "95 % intervals, pointwise. Below: patients without the event who are still followed. "
        f"All curves are of the same virtual patients. {where}"
    )
    words = f"Cumulative incidence of {event_words(view.events[event])} over time."
    try:
        if kind is not None and kind in data.dims and axis is not None:
            for first_panel in range(0, data.sizes[kind], PANELS):
                part = data.isel({kind: slice(first_panel, first_panel + PANELS)})
                figure = incidence_figure(part, kind, by=axis.name, event=event)
                section.draw(as_png(readable(figure)), words, caption)
        elif axis is not None:
            figure = incidence_figure(data, axis.name, by=kind, event=event)
            section.draw(as_png(readable(figure)), words, caption)
        else:
            section.draw(_single(data, kind, event), words, caption)
    except ScenarioError as error:
        section.note(f"The curves cannot be drawn: {error}")


def _single(data: xr.Dataset, kind: str | None, event: str) -> bytes:
    """Draw the curves of a sweep whose only axis, if any, is the kind of patient."""
    from carsim.plots import as_png
    from carsim.plots.incidence_page import incidence_page

    return as_png(incidence_page(data, by=kind, event=event))


def _some(count: int) -> list[int]:
    """Places of at most `MOST_CURVES` of `count` values, both ends included."""
    places = np.linspace(0, count - 1, min(count, MOST_CURVES)).round()
    return [int(place) for place in np.unique(places)]


def _times(view: View, event: str) -> tuple[float, float | None]:
    """Times by which half and nine in ten of all events were found; None if there is none.

    Times are counted in steps of a ten-thousandth of the simulated span: however many there are,
    they need no memory, and no digit that is printed is lost.
    """
    scenario = view.sweep.scenario
    step = (scenario.last_stop - scenario.start) / STEPS
    counts: Counter[int] = Counter()
    for _, values in view.slabs(f"{event}_time"):
        numbers = np.asarray(values, dtype=np.float64)
        taken = np.round((numbers[np.isfinite(numbers)] - scenario.start) / step)
        found, each = np.unique(taken.astype(np.int64), return_counts=True)
        counts.update(dict(zip(found.tolist(), each.tolist(), strict=True)))
    if not counts:
        return np.nan, None
    places = sorted(counts)
    reached = np.cumsum([counts[place] for place in places])
    half, most = (
        scenario.start + step * places[int(np.searchsorted(reached, share * reached[-1]))]
        for share in (0.5, 0.9)
    )
    return half, most


def _differences(section: Section, view: View, event: str) -> None:
    from carsim.plots import as_png
    from carsim.plots.intervals import interval_rows_figure
    from carsim.plots.theme import capital

    axis, kind = view.others[0], view.kind
    shown = (
        _some(len(axis.coordinate)) if len(axis.coordinate) > 12 else range(len(axis.coordinate))
    )
    compared = [k for k in shown if k != 0]
    if not compared:
        return
    at, where = held(view, [axis.name, kind or ""])
    groups = _groups(view)
    found: dict[str, list[Paired]] = {}
    for name, place, patients in groups:
        cell = {**at, **place}
        reference = view.cell(event, _position(view, {**cell, axis.name: 0}))[patients]
        found[name] = [
            paired_difference(
                view.cell(event, _position(view, {**cell, axis.name: k}))[patients], reference
            )
            for k in compared
        ]
    reference_words = _level(axis, 0)
    section.head(f"Differences to {reference_words}")
    section.say(
        f"Each virtual patient was treated both ways, so that risks can be subtracted patient by "
        f"patient; the reference is {reference_words}, the first value of the axis. Negative: "
        f"fewer events than under the reference. {where}"
    )
    section.items([_largest(axis, compared, name, rows) for name, rows in found.items()])
    labels = [axis.level(k) for k in compared]
    series = {
        name: tuple(
            [100.0 * getattr(each, field) for each in rows]
            for field in ("difference", "lower", "upper")
        )
        for name, rows in list(found.items())[:MOST_SERIES]
    }
    section.draw(
        as_png(
            interval_rows_figure(
                labels,
                series,  # type: ignore[arg-type]
                x_label=f"Difference in the risk of {event_words(view.events[event])} "
                "(percentage points)",
                y_label=capital(axis.words),
                legend=view.kind_words,
                zero=True,
            )
        ),
        f"Differences in risk to {reference_words}; the numbers are in the table below.",
        "Points: risk minus that of the reference in the same patients; lines: 95 % intervals "
        "for paired shares. A point without a line: no patient fares differently.",
    )
    rows = [
        (
            escape(label),
            escape(name) or "all",
            *_numbers(each),
        )
        for name, results in found.items()
        for label, each in zip(labels, results, strict=True)
    ]
    header = (
        escape(capital(axis.words)),
        "Patients",
        "Difference (percentage points)",
        "95 % interval",
        "Event only here",
        "Event only under the reference",
        "Patients compared",
    )
    section.fold("Table of the differences", table(header, rows, numbers=range(2, 7)))


def _groups(view: View) -> list[tuple[str, dict[str, int], Any]]:
    """Kinds of patients: name, position along the axes, which patients."""
    kind = view.kind
    if kind is None:
        return [("", {}, slice(None))]
    labels = view.data[kind].values.astype(str)
    if kind in view.dims:
        return [(str(name), {kind: k}, slice(None)) for k, name in enumerate(labels)]
    distinct = list(dict.fromkeys(labels.tolist()))
    return [(name, {}, np.flatnonzero(labels == name)) for name in distinct]


def _position(view: View, places: dict[str, int]) -> tuple[int, ...]:
    return tuple(places[dim] for dim in view.dims)


def _level(axis: Axis, k: int) -> str:
    return f"{axis.words} {axis.level(k)}" if axis.is_number else f"“{axis.level(k)}”"


def _largest(axis: Axis, compared: list[int], name: str, rows: list[Paired]) -> str:
    who = name or "All patients"
    known = [k for k, each in enumerate(rows) if each.n]
    if not known:
        return f"{who}: nobody counts in both."
    best = min(known, key=lambda k: rows[k].difference)
    each = rows[best]
    if each.difference >= 0:
        return f"{who}: no strategy has fewer events than the reference."
    return (
        f"{who}: the largest decrease is with {_level(axis, compared[best])}, "
        f"{_signed(each.difference)} percentage points (95 % interval {_signed(each.lower)} to "
        f"{_signed(each.upper)}); {each.only_reference:,} of {each.n:,} patients have the event "
        f"only under the reference, {each.only:,} only here."
    )


def _signed(share: float) -> str:
    return f"{100.0 * share:+.1f}".replace("-", "−")


def _numbers(each: Paired) -> tuple[str, str, str, str, str]:
    if each.n == 0:
        return ("–", "–", "0", "0", "0")
    discordant = each.only + each.only_reference
    ends = f"{_signed(each.lower)} to {_signed(each.upper)}"
    return (
        _signed(each.difference),
        ends if discordant else "nobody differs",
        f"{each.only:,}",
        f"{each.only_reference:,}",
        f"{each.n:,}",
    )
