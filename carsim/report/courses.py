"""Fifth section: courses of some patients of a few cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carsim.engine.status import Status
from carsim.errors import ScenarioError
from carsim.hypertext import counted
from carsim.report.question import extremes
from carsim.report.section import Section, about, lower_first, percent, short
from carsim.report.view import View
from carsim.sweep import courses

if TYPE_CHECKING:
    import xarray as xr

    from carsim.plots.therapy import Periods

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
        section.say(why_none(view))
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


def why_none(view: View) -> str:
    """Say why there are no courses."""
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
    shading = _shading(data.isel(patient=alive))
    section.draw(
        as_png(trajectory_figure(shown, panels=present, shading=shading)),
        f"Courses over time of {', '.join(outputs)} in {counted(len(alive), 'virtual patient')}.",
        f"{counted(len(alive), 'virtual patient')}: median, 5th to 95th percentile at each time, "
        "and the first three patients as thin lines. A band is not a course: no patient need "
        "follow it."
        + (" Shaded: when a tenth of the patients or more are under a drug." if shading else ""),
    )
    left = [name for name in outputs if not any(name in panel.variables for panel in present)]
    if left:
        section.say(
            f"Saved but not drawn (zero throughout, or without a panel): {', '.join(left)}."
        )
    return True


def _shading(data: xr.Dataset) -> Periods:
    """When many patients are under a drug, from the therapy or else from the concentrations."""
    from carsim.plots import scheduled_periods, therapy_periods

    try:
        return scheduled_periods(data)
    except ScenarioError:  # something in the therapy has no schedule
        return therapy_periods(data)


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
