"""Fifth and seventh section: courses of some patients, and what their therapy did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from carsim.dataset.words import words_of_actions
from carsim.engine.status import Status
from carsim.hypertext import counted, table
from carsim.report.question import extremes
from carsim.report.section import Section, about, lower_first, percent, readable, short
from carsim.report.view import View
from carsim.sweep import courses
from carsim.sweep.courses import scenario_of
from carsim.therapy import Hazard, Rule

if TYPE_CHECKING:
    import xarray as xr

MOST_PANELS = 9
DECADES = 30.0
"""From this ratio of largest to median value on, a panel is logarithmic."""


@dataclass(frozen=True)
class Chosen:
    """A cell whose patients are looked at one by one.

    Attributes
    ----------
    at : tuple of int
        Position of the cell.
    why : str
        Why this one.
    courses : xarray.Dataset
        Result of `carsim.sweep.courses`.
    """

    at: tuple[int, ...]
    why: str
    courses: xr.Dataset


def simulate_courses(view: View) -> list[Chosen]:
    """Simulate the first patients of a few cells again; none if the model has changed since."""
    if view.changed or view.patients < 1:
        return []
    return [
        Chosen(at, why, courses(view.sweep, view.number(at), view.patients))
        for at, why in chosen_cells(view).items()
    ]


def chosen_cells(view: View) -> Mapping[tuple[int, ...], str]:
    """Cells worth a closer look, with the reason; at most three."""
    found: dict[tuple[int, ...], str] = {}
    event = view.event
    ends = extremes(view.events[event]) if event is not None else None
    if view.sweep.n_cells == 1:
        return {next(view.cells()): "the only cell"}
    if ends is None or event is None:
        cells = [0, view.sweep.n_cells // 2, view.sweep.n_cells - 1]
        words = ["the first cell", "the middle cell", "the last cell"]
        for number, why in zip(cells, words, strict=True):
            at = tuple(int(k) for k in np.unravel_index(number, view.shape))
            found.setdefault(at, why)
        return found
    low, high = ends
    found[high] = "highest risk"
    kind = view.kind
    if kind in view.dims:
        place = view.dims.index(str(kind))
        same = view.events[event].isel({kind: [high[place]]})
        within = extremes(same)
        assert within is not None
        nearest = (*within[0][:place], high[place], *within[0][place + 1 :])
        found.setdefault(nearest, "lowest risk of the same kind of patient")
    found.setdefault(low, "lowest risk")
    return found


def trajectories(view: View, chosen: list[Chosen]) -> Section:
    """Show courses of the chosen cells as bands with single patients."""
    section = Section("Courses of single patients")
    if not chosen:
        section.say(_why_none(view))
        return section
    number = chosen[0].courses.sizes["patient"]
    section.say(
        f"A sweep keeps endpoints, not courses. For this report the first "
        f"{counted(number, 'patient')} of {counted(len(chosen), 'cell')} "
        f"{'was' if number == 1 else 'were'} simulated again, as the same virtual patients with "
        "the same numbers."
    )
    drawn = False
    for each in chosen:
        section.head(f"{view.place(each.at) or 'All patients'} ({each.why})")
        drawn |= _draw(section, view, each)
    if not drawn:
        section.say(
            "No course can be shown: the config names no outputs. Name some under [outputs], "
            'for example save = ["hbv_dna"], and make the report again.'
        )
    return section


def _why_none(view: View) -> str:
    if view.changed:
        return (
            f"{view.changed} Its courses would be those of other patients than the risks above: "
            "none are shown. Run the sweep again."
        )
    return "No patient was simulated again (--patients 0)."


def _draw(section: Section, view: View, chosen: Chosen) -> bool:
    from carsim.plots import PANELS, Panel, as_png, trajectory_figure

    data = chosen.courses
    alive = np.flatnonzero(data["status"].values == Status.SUCCESS)
    outputs = [str(name) for name, each in data.data_vars.items() if "time" in each.dims]
    if not outputs:
        return False
    failed = data.sizes["patient"] - len(alive)
    if failed:
        section.note(f"{counted(failed, 'patient')} of {data.sizes['patient']} failed.")
    if not alive.size:
        return True
    shown = data[outputs].isel(patient=alive)
    known = {name for panel in PANELS for name in panel.variables}
    panels: Sequence[Panel] = PANELS
    if not known & set(outputs):
        panels = [
            Panel(_title(shown[name]), (name,), log=_is_log(shown[name]))
            for name in outputs[:MOST_PANELS]
        ]
    present = [panel for panel in panels if any(_moves(shown, name) for name in panel.variables)]
    if not present:
        section.say("All outputs that were saved are zero.")
        return True
    for sentence in _sentences(view, chosen, shown):
        section.say(sentence)
    section.draw(
        as_png(readable(trajectory_figure(shown, panels=present))),
        f"Courses over time of {', '.join(outputs)} in {counted(len(alive), 'virtual patient')}.",
        f"{counted(len(alive), 'virtual patient')}: median, 5th to 95th percentile at each time, "
        "and the first three patients as thin lines. A band is not a course: no patient need "
        "follow it.",
    )
    left = [name for name in outputs if not any(name in panel.variables for panel in present)]
    if left:
        section.say(
            f"Saved but not drawn (zero throughout, or without a panel): {', '.join(left)}."
        )
    return True


def _moves(data: xr.Dataset, name: str) -> bool:
    return name in data and bool(np.nanmax(np.abs(data[name].values)) > 0)


def _title(variable: xr.DataArray) -> str:
    words, _ = about(variable)
    return words[:1].upper() + words[1:]


def _is_log(variable: xr.DataArray) -> bool:
    values = variable.values[np.isfinite(variable.values)]
    positive = values[values > 0]
    if not positive.size or (values < 0).any():
        return False
    return bool(positive.max() > DECADES * np.median(positive))


def _sentences(view: View, chosen: Chosen, shown: xr.Dataset) -> list[str]:
    """Say what the courses end in: the event, and the peak of what it is judged by."""
    sentences = []
    event = view.event
    if event is not None:
        mine = view.cell(event, chosen.at)[: chosen.courses.sizes["patient"]]
        n = int(np.isfinite(mine).sum())
        if n:
            had = int(np.nansum(mine))
            words = lower_first(str(view.events[event].attrs["event"]))
            sentences.append(f"Of these {n:,} patients {had:,} ({percent(had / n)}) have {words}.")
    peaks = []
    for name in list(map(str, shown.data_vars))[:MOST_PANELS]:
        words, unit = about(shown[name])
        highest = np.nanmax(shown[name].transpose("patient", "time").values, axis=1)
        low, middle, high = np.quantile(highest, [0.05, 0.5, 0.95])
        if high > 0:
            peaks.append(
                f"{words} {short(float(middle))} ({short(float(low))} to {short(float(high))}) "
                f"{_unit(unit)}".rstrip()
            )
    if peaks:
        sentences.append(f"Median peaks (5th to 95th percentile): {'; '.join(peaks)}.")
    return sentences


def _unit(unit: str) -> str:
    from carsim.plots.theme import unit_text

    return unit_text(unit)


def event_log(view: View, chosen: list[Chosen]) -> Section:
    """Say how often each rule of the therapy fired in the courses, and when first."""
    section = Section("What the therapy did")
    if not chosen:
        section.say(_why_none(view))
        return section
    model = view.sweep.scenario.model
    unit = model.time_unit
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
    if not does and not pools:
        return section
    header = ["Rule, hazard or pool", "What happens"]
    header += [escape(view.place(each.at) or "All patients") for each in chosen]
    rows = []
    for name, words in (does | pools).items():
        cells = [
            _fired(each.courses, name, n, unit) if name in mine or name in pools else "not given"
            for each, mine in zip(chosen, has, strict=True)
        ]
        pool = name.replace("extinct:", "extinction of ")
        rows.append((f"<code>{escape(pool)}</code>", escape(words), *cells))
    section.add(table(header, rows))
    notes = [each.courses["event_name"].attrs.get("note") for each in chosen]
    for note in dict.fromkeys(filter(None, notes)):
        section.note(f"Some firings are missing from these counts: {note}.")
    return section


def _fired(data: xr.Dataset, name: str, n: int, unit: str) -> str:
    here = data["event_name"].values == name
    patients = data["event_patient"].values[here]
    times = data["event_time"].values[here]
    who = np.unique(patients)
    if not who.size:
        return f"never (0 of {n:,})"
    first = float(np.median([times[patients == patient].min() for patient in who]))
    when = f"on {unit} {short(first)}" if unit == "day" else f"at {short(first)} {unit}"
    again = f", {here.sum():,} times in all" if here.sum() > who.size else ""
    return (
        f"{who.size:,} of {n:,} ({percent(who.size / n)})<small>first {escape(when)}{again}</small>"
    )
