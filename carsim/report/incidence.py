"""Fourth section: when events happen, and what competes with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.endpoints import (
    CompetingIncidence,
    competing_incidence,
    cumulative_incidence,
    first_event,
)
from carsim.errors import ScenarioError
from carsim.hypertext import counted, listed, table
from carsim.report.decisions import decisions
from carsim.report.question import event_words, extremes
from carsim.report.risks import PANELS, held
from carsim.report.section import Section, percent, short
from carsim.report.strategies import differences, groups_of_patients, level_words, some_of
from carsim.report.view import LEVEL, Array, View

if TYPE_CHECKING:
    import xarray as xr

STEPS = 10_000
RIVALS = ("relapse", "death")
"""Events after which a patient is another case, if the result has them with their times."""


def over_time(view: View) -> Section:
    """Show when the event happens, what competes with it, and what the strategies change."""
    section = Section("When it happens, and what the strategies change")
    event = view.event
    if event is None:
        section.say("There is no yes-or-no endpoint, hence nothing to follow over time.")
        return section
    if extremes(view.events[event]) is None:
        section.say(f"No patient counts for {event_words(view.events[event])} in any cell.")
        return section
    if f"{event}_time" in view.data:
        _incidence(section, view, event)
        _competing(section, view, event)
    else:
        section.say(f"No time of {event_words(view.events[event])} was kept.")
    if view.others:
        differences(section, view, event)
        decisions(section, view, event)
    return section


def _incidence(section: Section, view: View, event: str) -> None:
    if not view.is_grid:
        section.say("Curves are drawn for grids only: a point of this design has no neighbors.")
        return
    from carsim.plots import as_png, incidence, incidence_figure, panels_figure

    axis = view.others[0] if view.others else None
    kind = view.kind
    at, where = held(view, [axis.name if axis else "", kind or ""])
    names = [event, f"{event}_time"]
    data = view.labelled(view.data[names].isel(at))
    if axis is not None:
        data = data.isel({axis.name: some_of(len(axis.coordinate))})
    first, last = _times(view, event)
    since = "of the simulation"
    if view.infusions.ndim == 0:
        since = "since the infusion"
        first = first - float(view.infusions)
        last = None if last is None else last - float(view.infusions)
    if last is None:
        section.say(
            f"Nobody had {event_words(view.events[event])} in any cell: all curves stay at zero."
        )
    else:
        section.say(
            f"Over all cells, half of the events were found by day {short(first)} and nine in ten "
            f"by day {short(last)} {since} (of the patients that had one)."
        )
    caption = (
        "Steps: share of patients in whom the event was found by then (Kaplan-Meier); bands: "
        "95 % intervals, pointwise. Below: patients without the event who are still followed. "
        f"{'' if view.is_unfinished else 'All curves are of the same virtual patients. '}{where}"
    )
    words = f"Cumulative incidence of {event_words(view.events[event])} over time."
    try:
        if kind is not None and kind in data.dims and axis is not None:
            for first_panel in range(0, data.sizes[kind], PANELS):
                part = data.isel({kind: slice(first_panel, first_panel + PANELS)})
                figure = incidence_figure(part, kind, by=axis.name, event=event)
                section.draw(as_png(figure), words, caption)
        elif axis is not None:
            figure = incidence_figure(data, axis.name, by=kind, event=event)
            section.draw(as_png(figure), words, caption)
        else:
            figure = panels_figure([lambda ax: incidence(data, by=kind, event=event, ax=ax)])
            section.draw(as_png(figure), words, caption)
    except ScenarioError as error:
        section.note(f"The curves cannot be drawn: {error}")


def _times(view: View, event: str) -> tuple[float, float | None]:
    """Times by which half and nine in ten of all events were found; None if there is none.

    Times are counted in steps of a ten-thousandth of the simulated span: however many there are,
    they need no memory, and no digit that is printed is lost.
    """
    scenario = view.sweep.scenario
    step = (scenario.last_stop - scenario.start) / STEPS
    counts: Counter[int] = Counter()
    for values in view.parts(f"{event}_time"):
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


def _competing(section: Section, view: View, event: str) -> None:
    """Show which comes first, the event or what ends the question."""
    rivals = [
        name
        for name in RIVALS
        if name != event and name in view.events and f"{name}_time" in view.data
    ]
    if not rivals or not view.is_grid:
        return
    axis = view.others[0] if view.others else None
    at, where = held(view, [axis.name if axis else "", view.kind or ""])
    origin, stop = view.sweep.scenario.start, view.sweep.scenario.stop
    if not isinstance(stop, float):
        return
    words = {event: event_words(view.events[event]), **{name: name for name in rivals}}
    lost = listed(rivals, "or")
    rows: list[tuple[str, ...]] = []
    drawn: list[tuple[str, CompetingIncidence]] = []
    gaps: list[tuple[float, str]] = []
    ties = 0
    levels: list[tuple[str, str, dict[str, int]]] = [("", "", {})]
    if axis is not None:
        places = some_of(len(axis.coordinate))
        levels = [(axis.level(k), level_words(axis, k), {axis.name: k}) for k in places]
    for name, kind, patients in groups_of_patients(view):
        for number, (label, said, level) in enumerate(levels):
            data = _cell(view, event, rivals, {**at, **kind, **level}, patients)
            conditional = [each for each in rivals if each == "relapse"]
            first = first_event(data, [event, *rivals], conditional=conditional, origin=origin)
            found = competing_incidence(first, stop, origin=origin, level=LEVEL)
            if found.n == 0:
                continue
            ties += found.ties
            if number == 0:
                drawn.append((name, found))
            ever, before = float(data[event].mean()), float(found.incidence[0, -1])
            place = "; ".join(filter(None, (name, said)))
            gaps.append((ever - before, _gap(place, ever, before, lost)))
            rows.append((escape(label), escape(name) or "all", *_shares(data, event, found, stop)))
    if not rows:
        return
    section.head(f"What comes first: {listed(list(words.values()), 'or')}")
    section.say(
        f"After {lost} a patient is another case: treated anew, or no longer to be treated. The "
        f"curves above count {words[event]} whenever it is found, also after that, since the "
        "simulation goes on. Those below (Aalen-Johansen) count what came first."
    )
    section.say(
        f"A trial often stops following a patient at {lost} and draws one minus Kaplan-Meier all "
        "the same. That pretends that these patients could still have the event as the others "
        "do, and is never below the share in whom it comes first. The table has all three."
    )
    if ties:
        section.say(
            f"In {counted(ties, 'course')} both are found at the same visit: {words[event]} then "
            "counts as the first."
        )
    if max(gaps)[0] > 0:
        section.say(max(gaps)[1])
    _stacked(section, view, drawn, words, where)
    header = [] if axis is None else [escape(axis.words[:1].upper() + axis.words[1:])]
    header += [
        "Patients",
        "Event at any time",
        "Event first (Aalen-Johansen)",
        "1 − Kaplan-Meier, followed until the other",
        *(f"{escape(words[name])} first" for name in rivals),
    ]
    if axis is None:
        rows = [row[1:] for row in rows]
    numbers = range(len(header) - 3 - len(rivals), len(header))
    html = table([each[:1].upper() + each[1:] for each in header], rows, numbers=numbers)
    section.fold(f"Table of {words[event]} by the end of follow-up, counted in three ways", html)


def _gap(place: str, ever: float, first: float, lost: str) -> str:
    """Say what the two ways of counting give where they differ most."""
    where = f" ({place})" if place else ""
    return (
        f"Where the two differ most{where}, {percent(ever)} have the event at any time, but only "
        f"{percent(first)} before {lost}: in the others it comes after."
    )


def _cell(
    view: View, event: str, rivals: list[str], place: dict[str, int], patients: Any
) -> xr.Dataset:
    """Load the events of the patients of a cell, with their times."""
    names = [each for name in (event, *rivals) for each in (name, f"{name}_time")]
    return view.data[names].isel(place).isel(patient=patients).load()


def _shares(data: xr.Dataset, event: str, found: CompetingIncidence, stop: float) -> list[str]:
    """Shares at the end of follow-up: any time, first, censored; and each of the rivals first."""
    happened, when = (np.asarray(data[name].values) for name in (event, f"{event}_time"))
    ever = float(np.nanmean(happened))
    rivals = list(found.events[1:])
    ends: Array = np.full(happened.shape, stop)
    for name in rivals:
        ends = np.fmin(ends, data[f"{name}_time"].values)
    # The event at the very end of follow-up is seen, as in `first_event`.
    seen = np.where((happened == 1.0) & (when > ends), 0.0, happened)
    censored = cumulative_incidence(seen, when, ends, origin=min(0.0, float(np.nanmin(ends))))
    k = found.events.index(event)
    return [
        percent(ever),
        f"{percent(found.incidence[k, -1])}<small>{100 * found.lower[k, -1]:.1f} to "
        f"{100 * found.upper[k, -1]:.1f} %</small>",
        percent(float(censored.incidence[-1])),
        *(percent(float(found.incidence[found.events.index(name), -1])) for name in rivals),
    ]


def _stacked(
    section: Section,
    view: View,
    drawn: list[tuple[str, CompetingIncidence]],
    words: dict[str, str],
    where: str,
) -> None:
    from carsim.plots import as_png, panels_figure, stacked_incidence

    origin = float(view.infusions) if view.infusions.ndim == 0 else 0.0

    def panel(name: str, found: CompetingIncidence) -> Callable[[Any], object]:
        curves = {
            f"{words[event]} first": found.incidence[k] for k, event in enumerate(found.events)
        }
        return lambda ax: stacked_incidence(
            found.time,
            curves,
            at_risk=found.at_risk,
            origin=origin,
            ax=ax,
            title=name,
        )

    reference = view.others[0].level(0) if view.others else ""
    which = f" with {view.others[0].words} {reference}" if reference else ""
    for first in range(0, len(drawn), PANELS):
        part = drawn[first : first + PANELS]
        size = (8.0, 4.2) if len(part) == 1 else (4.4, 3.7)
        figure = panels_figure([panel(*each) for each in part], size=size, columns=3)
        section.draw(
            as_png(figure),
            f"Shares of patients by what came first over time: {listed(list(words.values()))}.",
            f"Areas: share of the patients by what came first (Aalen-Johansen){which}; the rest is "
            f"without any of it. Below: patients with none of it who are still followed. {where}",
        )
