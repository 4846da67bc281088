"""Third section: how high the risk is in each cell, and how surely that is known."""

from __future__ import annotations

import warnings
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from carsim.endpoints.clock import since_infusion
from carsim.hypertext import counted, table
from carsim.report.question import alike, event_words, extremes, risk_in_words
from carsim.report.section import Section, about, interval, lower_first, percent, short
from carsim.report.view import LEVEL, Array, View

if TYPE_CHECKING:
    import xarray as xr

MOST_IN_MAP = 12
"""Values of an axis that find room in a map with numbers in its cells."""

MOST_ROWS = 40
WANTED = 0.01  # half-width of an interval for which the number of patients is said
OPEN_ROWS = 12
MOST_IN_TABLE = 2000
PANELS = 3
MOST_SERIES = 7


def risks(view: View) -> Section:
    """Show the risk of the main event in all cells, that of the others, and other numbers."""
    section = Section("Risks")
    event = view.event
    if not view.has_patients:
        section.say("One patient a cell has no risk; what was kept of it is in the table.")
    elif event is None:
        section.say("No yes-or-no endpoint was kept; the numbers below are what there is.")
    else:
        found = view.events[event]
        if extremes(found) is None:
            section.say(f"No patient counts for {event_words(found)} in any cell: there is no map.")
        else:
            _main(section, view, event)
        _other_events(section, view)
    _numbers(section, view)
    return section


def held(view: View, shown: list[str]) -> tuple[dict[str, int], str]:
    """Positions at which the other axes of a grid are held, their middle, and that in words."""
    rest = [axis for axis in view.axes if view.is_grid and axis.name not in shown]
    at = {axis.name: len(axis.coordinate) // 2 for axis in rest}
    words = "; ".join(f"{axis.words}: {axis.level(at[axis.name])}" for axis in rest)
    return at, f"Held at its middle value: {words}." if words else ""


def _main(section: Section, view: View, event: str) -> None:
    from carsim.plots.theme import capital

    by_kind = view.risks_by_kind(event)
    section.head(capital(event_words(view.events[event])))
    _see(section, view, by_kind)
    if view.is_grid and len(view.others) >= 2:
        _maps(section, view, by_kind)
    elif view.is_grid:
        _rows(section, view, by_kind)
    else:
        _points(section, view, view.events[event])
    _certainty(section, view, event)
    _cells(section, view, view.events[event])


def _see(section: Section, view: View, found: xr.Dataset) -> None:
    """Say for each kind of patient where the risk is lowest and highest."""
    kind = view.kind
    names = [None] if kind is None else [str(each) for each in found[kind].values]
    items = []
    for number, name in enumerate(names):
        part = found if kind is None else found.isel({kind: number})
        ends = extremes(part)
        who = "All patients" if name is None else name
        if ends is None:
            items.append(f"{who}: nobody counts.")
            continue
        low, high = (_whole(view, part, number, at) for at in ends)
        lowest, highest = (risk_in_words(part, at) for at in ends)
        if part["risk"].size == 1:
            items.append(f"{who}: {lowest}.")
        elif float(part["risk"].values[ends[0]]) == float(part["risk"].values[ends[1]]):
            known = int(np.isfinite(part["risk"].values).sum())
            where = "all cells" if known == part["risk"].size else "all cells where it is known"
            items.append(f"{who}: {lowest} in {where}.")
        else:
            items.append(
                f"{who}: from {lowest} with {view.place(low, without=kind)}"
                f"{alike(part, ends[0])} to {highest} with {view.place(high, without=kind)}"
                f"{alike(part, ends[1])}."
            )
    section.items(items)


def _whole(view: View, part: xr.Dataset, number: int, at: tuple[int, ...]) -> tuple[int, ...]:
    """Position of a cell, from the position in the part of one kind of patient."""
    places = dict(zip(map(str, part["risk"].dims), at, strict=True))
    if view.kind is not None:
        places.setdefault(view.kind, number)
    return tuple(places[dim] for dim in view.dims)


def _maps(section: Section, view: View, found: xr.Dataset) -> None:
    from carsim.plots import as_png, risk_contour_figure, risk_map_figure

    x, y = view.others[0], view.others[1]
    kind = view.kind
    at, where = held(view, [x.name, y.name, kind or ""])
    shown = found.isel(at)
    if max(len(x.coordinate), len(y.coordinate)) <= MOST_IN_MAP:
        for part in _chunks(shown, kind):
            section.draw(
                as_png(risk_map_figure(part, x.name, y.name, by=kind, event="risk")),
                f"Maps of the risk of {event_words(found)} over {x.words} and {y.words}, and the "
                "same risks as curves. All numbers are in the table below.",
                "Top: each field is one cell with its risk and, in brackets, the 95 % interval; "
                "fields are of equal size whatever the distance of the values. Bottom: the same "
                f"numbers as curves with their intervals as bands, drawn to scale. {where}",
            )
    enough = all(axis.is_number and len(axis.coordinate) >= 3 for axis in (x, y))
    if not enough or float(np.nanmax(shown["risk"].values)) == float(
        np.nanmin(shown["risk"].values)
    ):
        return
    whole = shown if kind is None else shown.isel({kind: _complete(shown, kind)})
    if whole["risk"].size == 0 or not np.isfinite(whole["risk"].values).all():
        return
    for part in _chunks(whole, kind):
        section.draw(
            as_png(risk_contour_figure(part, x.name, y.name, by=kind)),
            f"Lines of equal risk of {event_words(found)} over {x.words} and {y.words}.",
            "Where the risk crosses round numbers, both axes to scale. Only the points were "
            "simulated; between them everything is interpolated linearly. In the hatched area the "
            "95 % interval includes the value in the legend: there the line may as well run. "
            + where,
        )


def _chunks(found: xr.Dataset, kind: str | None) -> list[xr.Dataset]:
    """Parts with as many kinds of patients as a page has room for."""
    if kind is None:
        return [found]
    count = found.sizes[kind]
    return [found.isel({kind: slice(k, k + PANELS)}) for k in range(0, count, PANELS)]


def _complete(found: xr.Dataset, kind: str) -> list[int]:
    shares = found["risk"].transpose(kind, ...).values
    return [k for k in range(len(shares)) if np.isfinite(shares[k]).all()]


def _rows(section: Section, view: View, found: xr.Dataset) -> None:
    from carsim.plots import as_png, interval_rows_figure
    from carsim.plots.theme import capital

    kind = view.kind
    rows = view.others[0] if view.others else None
    if rows is None and kind is None:
        return
    labels = [str(each) for each in found[kind].values] if rows is None else rows.levels[0]
    if len(labels) > MOST_ROWS:
        _points(section, view, found)
        return
    dim = kind if rows is None else rows.name
    assert dim is not None
    parts = {"": found}
    if rows is not None and kind is not None:
        kinds = [str(each) for each in found[kind].values][:MOST_SERIES]
        parts = {name: found.isel({kind: k}) for k, name in enumerate(kinds)}
    series = {
        name: tuple(100.0 * part[each].transpose(dim).values for each in ("risk", "lower", "upper"))
        for name, part in parts.items()
    }
    unit = f" ({rows.levels[1]})" if rows is not None and rows.levels[1] else ""
    section.draw(
        as_png(
            interval_rows_figure(
                labels,
                series,  # type: ignore[arg-type]
                x_label=f"Risk of {event_words(found)} (%)",
                y_label="" if rows is None else f"{capital(rows.words)}{unit}",
                legend=view.kind_words if rows is not None else "",
            )
        ),
        f"Risks of {event_words(found)} with their intervals; the numbers are in the table below.",
        "Points: share of the virtual patients with the event; lines: 95 % Wilson intervals.",
    )


def _points(section: Section, view: View, found: xr.Dataset) -> None:
    from carsim.plots import as_png, interval_points_figure
    from carsim.plots.theme import axis_values

    numbers = [axis for axis in view.axes if axis.is_number][:9]
    if not numbers or found["risk"].ndim != 1:
        return
    shares, lower, upper = (100.0 * found[each].values for each in ("risk", "lower", "upper"))
    scales = {axis.name: axis.scale for axis in view.sweep.design.axes}
    panels, log = {}, []
    for axis in numbers:
        places, words = axis_values(axis.coordinate)
        panels[words] = places
        if scales[axis.name] == "log":
            log.append(words)
    section.draw(
        as_png(
            interval_points_figure(
                panels,
                shares,
                lower,
                upper,
                y_label=f"Risk of {event_words(found)} (%)",
                log=log,
            )
        ),
        f"Risk of {event_words(found)} over each of the axes; numbers are in the table below.",
        "Each point is one cell, drawn over each axis in turn; the others vary at the same time, "
        "so that points scatter. Lines: 95 % Wilson intervals.",
    )


def _certainty(section: Section, view: View, event: str) -> None:
    """Say how large the Monte Carlo error is, and how many patients would make it smaller."""
    from carsim.endpoints import convergence

    found = view.events[event]
    half = 50.0 * (found["upper"].values - found["lower"].values)
    at = tuple(int(k) for k in np.unravel_index(int(np.nanargmax(half)), half.shape))
    where = view.place(at)
    patients = view.patients_of(at)[[event]].load()
    simulated = patients.sizes["patient"]
    running = convergence(patients[event], level=LEVEL, sizes=[simulated], half_width=WANTED)
    halved, wanted = (
        int(running[name]) for name in ("patients_to_halve", "patients_for_half_width")
    )
    section.head("How sure these numbers are")
    section.say(
        f"Each risk is a share of at most {int(found['n'].max()):,} virtual patients. The "
        f"largest Monte Carlo error is ± {half[at]:.1f} percentage points (half of the 95 % "
        f"interval{f', {where}' if where else ''}). The error shrinks with the square root of the "
        f"number of patients: {halved:,} in place of {simulated:,} would halve it, and "
        f"{wanted:,} give ± {100 * WANTED:g} percentage {'point' if WANTED == 0.01 else 'points'}."
    )
    _convergence(section, view, event, patients, where)
    excluded = np.asarray(found["excluded"].values)
    if not excluded.any():
        section.say("No patient was left out.")
        return
    section.say(
        f"{counted(int(excluded.sum()), 'course')} in {counted(int((excluded > 0).sum()), 'cell')} "
        "do not count, neither as event nor as none: they failed, or the definition does not "
        "cover them. Section 8 says how many failed."
    )


def _convergence(
    section: Section, view: View, event: str, patients: xr.Dataset, where: str
) -> None:
    from carsim.plots import as_png, convergence, panels_figure

    figure = panels_figure(
        [lambda ax: convergence(patients, event, level=LEVEL, ax=ax)], size=(8.0, 3.2)
    )
    section.draw(
        as_png(figure),
        f"Risk of {event_words(view.events[event])} over the number of patients, with interval.",
        "What a smaller cohort would have given: risk in the first patients only, with its 95 % "
        f"Wilson interval{f'; {where}' if where else ''}. Where the line has come to rest and the "
        "band is narrow, more patients change little.",
    )


def _cells(section: Section, view: View, found: xr.Dataset) -> None:
    from carsim.plots.theme import capital

    if not view.axes:
        return
    header = [escape(capital(axis.words)) for axis in view.axes]
    header += ["Risk", "95 % interval", "Events", "Patients", "Left out"]
    first = len(view.axes)
    rows: list[tuple[str, ...]] = []
    for at in view.cells():
        if len(rows) == MOST_IN_TABLE:
            break
        cell = {name: found[name].values[at] for name in found.data_vars}
        known = cell["n"] > 0
        rows.append(
            (
                *(
                    escape(axis.level(at[view.dims.index(axis.name)] if view.is_grid else at[0]))
                    for axis in view.axes
                ),
                percent(cell["risk"]) if known else "–",
                interval(cell["lower"], cell["upper"]) if known else "–",
                f"{int(cell['events']):,}",
                f"{int(cell['n']):,}",
                f"{int(cell['excluded']):,}",
            )
        )
    html = table(header, rows, numbers=range(first, first + 5))
    if len(rows) < view.sweep.n_cells:
        html += (
            f"<p>The first {len(rows):,} of {view.sweep.n_cells:,} cells; the result has all.</p>"
        )
    if len(rows) <= OPEN_ROWS:
        section.add(html)
    else:
        section.fold(f"Table of the risks in {counted(view.sweep.n_cells, 'cell')}", html)


def _other_events(section: Section, view: View) -> None:
    others = [name for name in view.events if name != view.event]
    if not others:
        return
    rows: list[tuple[str, str, str]] = []
    for name in others:
        found = view.events[name]
        ends = extremes(found)
        words = escape(str(found.attrs["event"]))
        if ends is None:
            rows.append((words, "–", "–"))
            continue
        low, high = (_end(view, found, at) for at in ends)
        if float(found["risk"].values[ends[0]]) == float(found["risk"].values[ends[1]]):
            low = low.partition("<small>")[0]
            whole = bool(np.isfinite(found["risk"].values).all())
            high = "the same in all cells" if whole else "the same in all cells where it is known"
            high = high if view.axes else "–"
        rows.append((words, low, high))
    section.head("Other events")
    section.add(table(("Event", "Lowest risk", "Highest risk"), rows))


def _end(view: View, found: xr.Dataset, at: tuple[int, ...]) -> str:
    cell = {name: found[name].values[at] for name in ("risk", "lower", "upper")}
    place = view.place(at) + alike(found, at)
    return (
        f"{percent(cell['risk'])} ({interval(cell['lower'], cell['upper'])})"
        f"<small>{escape(place)}</small>"
    )


def _numbers(section: Section, view: View) -> None:
    from carsim.plots.theme import unit_text

    rows: list[tuple[str, ...]] = []
    for name in view.numbers:
        words, unit = about(view.data[name])
        medians = view.per_cell(name, _medians if view.has_patients else _itself)
        medians = np.asarray(since_infusion(view.data[name], medians, view.infusions))
        if not np.isfinite(medians).any():
            rows.append((escape(words), "–", "–", escape(unit_text(unit)) or "–"))
            continue
        ends = []
        for k in (np.nanargmin(medians), np.nanargmax(medians)):
            at = tuple(int(each) for each in np.unravel_index(int(k), medians.shape))
            ends.append(f"{short(medians[at])}<small>{escape(view.place(at))}</small>")
        if np.nanmin(medians) == np.nanmax(medians):
            ends = [short(np.nanmin(medians)), "the same in all cells" if view.axes else "–"]
        rows.append((escape(words), *ends, escape(unit_text(unit)) or "–"))
    if not rows:
        return
    what = "Median" if view.has_patients else "Value"
    header = ("Number", f"Lowest {lower_first(what)}", f"Highest {lower_first(what)}", "Unit")
    html = table(header, rows)
    if view.has_patients:
        html += (
            "<p>Medians are over the patients of a cell that have a value; days of an event count "
            "from the infusion, and are those of patients that had it.</p>"
        )
    if len(rows) <= OPEN_ROWS and not view.events:
        section.add(html)
    else:
        section.fold(
            f"Table of the other {counted(len(rows), 'number')} kept of each patient", html
        )


def _medians(values: Array) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells without any value are NaN
        return np.asarray(np.nanmedian(values, axis=-1))


def _itself(values: Array) -> Array:
    return values
