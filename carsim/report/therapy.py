"""Seventh section: what the therapy did to the patients whose courses were simulated again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.dataset.words import words_of_actions
from carsim.endpoints.clock import infusion_of
from carsim.engine.status import Status
from carsim.errors import ScenarioError
from carsim.hypertext import counted, table
from carsim.report.courses import Chosen, why_none
from carsim.report.question import event_words
from carsim.report.section import Section, percent, short
from carsim.report.view import View
from carsim.sweep.courses import scenario_of
from carsim.therapy import Hazard, Rule

if TYPE_CHECKING:
    import xarray as xr

LANES = 20
MOST_MARKS = 6
LONGEST = 44  # letters of what a rule does, beside a figure


def event_log(view: View, chosen: list[Chosen]) -> Section:
    """Say how often each rule of the therapy fired in the courses, and when first."""
    section = Section("What the therapy did")
    if not chosen:
        section.say(why_none(view))
        return section
    model = view.sweep.scenario.model
    does: dict[str, str] = {}
    has: list[set[str]] = []
    for each in chosen:
        items = scenario_of(view.sweep, view.number(each.at)).items
        rules = {
            name: words_of_actions(item, model)
            for name, item in items.items()
            if isinstance(item, Rule | Hazard)
        }
        has.append(set(rules))
        does |= rules
    pools: dict[str, str] = {}
    for each in chosen:
        for name in map(str, each.courses["event_name"].values):
            if name not in does:
                pools[name] = "set to zero: not a whole cell or particle is left"
    n = chosen[0].courses.sizes["patient"]
    if not does:
        section.say(
            "The therapy has no rule and no hazard: everything in it was planned, nothing depended "
            "on the patient."
        )
    else:
        section.say(
            "Rules watch the patient and act; hazards strike at random. The table says in how many "
            f"of the {counted(n, 'patient')} of section 5 each did so, and when first (median of "
            "those patients). A rule that never did is listed, too."
        )
    if does or pools:
        _table(section, view, chosen, has, does, pools)
    _lanes(section, view, chosen[0], does)
    notes = [each.courses["event_name"].attrs.get("note") for each in chosen]
    for note in dict.fromkeys(filter(None, notes)):
        section.note(f"Some firings are missing from these counts: {note}.")
    return section


def _table(
    section: Section,
    view: View,
    chosen: list[Chosen],
    has: list[set[str]],
    does: Mapping[str, str],
    pools: Mapping[str, str],
) -> None:
    n = chosen[0].courses.sizes["patient"]
    unit = view.sweep.scenario.model.time_unit
    header = ["Rule, hazard or pool", "What happens"]
    header += [escape(view.place(each.at) or "All patients") for each in chosen]
    rows = []
    for name, words in {**does, **pools}.items():
        cells = [
            _fired(each.courses, name, n, unit) if name in mine or name in pools else "not given"
            for each, mine in zip(chosen, has, strict=True)
        ]
        pool = name.replace("extinct:", "extinction of ")
        rows.append((f"<code>{escape(pool)}</code>", escape(words), *cells))
    section.add(table(header, rows))


def _fired(data: xr.Dataset, name: str, n: int, unit: str) -> str:
    here = data["event_name"].values == name
    patients = data["event_patient"].values[here]
    times = data["event_time"].values[here]
    who = np.unique(patients)
    if not who.size:
        return f"never (0 of {n:,})"
    infusion = infusion_of(data)
    first = float(np.median([times[patients == patient].min() for patient in who])) - infusion
    when = f"on {unit} {short(first)}" if unit == "day" else f"at {short(first)} {unit}"
    when += " since infusion" if infusion else ""
    again = f", {here.sum():,} times in all" if here.sum() > who.size else ""
    return (
        f"{who.size:,} of {n:,} ({percent(who.size / n)})<small>first {escape(when)}{again}</small>"
    )


def _lanes(section: Section, view: View, chosen: Chosen, does: Mapping[str, str]) -> None:
    """Draw the patients of a cell as lanes, and over the course of what the event is judged by."""
    from carsim.plots import as_png, panels_figure, swimmer

    data = chosen.courses.isel(
        patient=np.flatnonzero(chosen.courses["status"].values == Status.SUCCESS)
    )
    n = data.sizes["patient"]
    if not n:
        return
    place = view.place(chosen.at) or "All patients"
    section.head(f"Patient by patient: {place} ({chosen.why})")
    fired = [name for name in does if name in set(map(str, data["event_name"].values))]
    marks: dict[str, Any] = {}
    event = view.event
    if event is not None and f"{event}_time" in view.data:
        # Those of the sweep, for the same patients: a course has no endpoints.
        times = view.cell(f"{event}_time", chosen.at)[data["patient"].values]
        marks[event_words(view.events[event])] = [
            [float(time)] if np.isfinite(time) else [] for time in times
        ]
    marks |= {_short(name, does[name]): name for name in fired[: MOST_MARKS - len(marks)]}
    phases = _phases(data)
    lanes = min(LANES, n)
    sort = next(iter(marks), None)
    figure = panels_figure(
        [lambda ax: swimmer(data, phases=phases, marks=marks, most=LANES, sort=sort, ax=ax)],
        size=(10.0, 1.4 + 0.2 * lanes),
        legend=False,
    )
    section.draw(
        as_png(figure),
        f"Swimmer plot of {counted(lanes, 'virtual patient')}: lanes over time with therapy and "
        "events.",
        f"A lane for each of the first {counted(lanes, 'patient')} of this cell: gray is the "
        f"follow-up, {'colors are what was given, ' if phases else ''}marks are what happened"
        + (f"; in the order of {sort}, those without it below." if sort else "."),
    )
    shown = _judged_by(data)
    if shown is None or not fired:
        return
    figure = panels_figure([_course_with_marks(data, shown, fired)], size=(8.6, 3.6), legend=False)
    words = str(data[shown].attrs.get("long_name", shown))
    section.draw(
        as_png(figure),
        f"Course of {words} in {counted(n, 'patient')} with a row of marks for each rule that "
        "fired.",
        f"{words}: median and 5th to 95th percentile of {counted(n, 'patient')}, the first three "
        "as thin lines. Above: each firing of a rule is a tick; at the right, in how many patients "
        "it fired.",
    )


def _phases(data: xr.Dataset) -> dict[str, Any]:
    """What lasted in the therapy of each patient; nothing if a part of it has no schedule."""
    from carsim.plots import therapy_courses

    try:
        given = therapy_courses(data)
    except ScenarioError:
        return {}
    return {
        words: periods
        for words, periods in given.items()
        if any(stop > start for each in periods for start, stop in each)
    }


def _judged_by(data: xr.Dataset) -> str | None:
    """The course that is drawn with the marks: HBV DNA, or else the first that is not zero."""
    outputs = [str(name) for name, each in data.data_vars.items() if "time" in each.dims]
    moving = [name for name in outputs if float(np.nanmax(np.abs(data[name].values))) > 0]
    return "hbv_dna" if "hbv_dna" in moving else next(iter(moving), None)


def _course_with_marks(data: xr.Dataset, name: str, fired: list[str]) -> Callable[[Any], object]:
    from carsim.plots import PANELS, event_marks, trajectories

    panel = next((each for each in PANELS if name in each.variables), None)

    def draw(ax: Any) -> None:
        trajectories(
            data,
            name,
            log=panel is not None and panel.log,
            bottom=None if panel is None else panel.bottom,
            limit=None if panel is None else panel.limit,
            ax=ax,
        )
        event_marks(data, events=fired[:MOST_MARKS], ax=ax)

    return draw


def _short(name: str, words: str) -> str:
    text = f"{name}: {words}"
    return text if len(text) <= LONGEST else name
