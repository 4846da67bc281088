"""First section: what was asked, and the answer in a sentence."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.endpoints import FLARE_CRITERIA, Endpoint, HBVReactivation, HepatitisFlare
from carsim.guidelines import Criterion, definition_of
from carsim.hypertext import counted, linked, listed, table
from carsim.report.section import Section, lower_first, risk_words, short
from carsim.report.view import MOST_PATIENTS, View

if TYPE_CHECKING:
    import xarray as xr

MOST_LEVELS = 12

DESIGNS: Mapping[str, str] = {
    "single": "Nothing was varied",
    "grid": "Every value of each axis was combined with every value of the others",
    "list": "The combinations are listed one by one",
    "random": "The combinations were drawn at random",
    "latin_hypercube": "The combinations were drawn as a Latin hypercube",
    "sobol": "The combinations are a Sobol sequence, which fills the space evenly",
}


def question(view: View) -> Section:
    """Say what was simulated, what was counted, and what came out."""
    section = Section("The question")
    comment = opening(str(view.whole.attrs.get("config", "")))
    if comment:
        said = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in comment)
        section.add(
            "<p>Quoted from the comment that the config file begins with:</p>"
            f"<blockquote>{said}</blockquote>"
        )
    _answer(section, view)
    _varied(section, view)
    _counted(section, view)
    return section


def opening(config: str) -> list[str]:
    """Paragraphs of the comment that a config file begins with; commands are left out."""
    lines = []
    for line in config.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line[1:].strip())
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines))
    kept = (" ".join(each.split()) for each in paragraphs)
    return [each for each in kept if each and not each.startswith("carsim ")]


def extremes(table: xr.Dataset) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Positions of the lowest and of the highest risk; None if no cell has one."""
    shares = np.asarray(table["risk"].values)
    if not np.isfinite(shares).any():
        return None
    low = np.unravel_index(int(np.nanargmin(shares)), shares.shape)
    high = np.unravel_index(int(np.nanargmax(shares)), shares.shape)
    return tuple(int(k) for k in low), tuple(int(k) for k in high)


def risk_in_words(table: xr.Dataset, at: tuple[int, ...]) -> str:
    """Spell the risk at a position of a table."""
    return risk_words(table.isel(dict(zip(table["risk"].dims, at, strict=True))))


def alike(table: xr.Dataset, at: tuple[int, ...]) -> str:
    """Say in how many other cells the risk is the same."""
    shares = np.asarray(table["risk"].values)
    others = int(np.sum(shares == shares[at])) - 1
    return f" (the same in {counted(others, 'other cell')})" if others else ""


def event_words(table: xr.Dataset) -> str:
    """Words for an event, to be used inside a sentence."""
    return lower_first(str(table.attrs["event"]))


def _answer(section: Section, view: View) -> None:
    event = view.event
    if event is None:
        kept = len(view.numbers)
        section.say(
            "No yes-or-no endpoint was kept, so there is no risk to report;",
            f"{counted(kept, 'number')} a patient {'was' if kept == 1 else 'were'} kept, see "
            "section 3.",
        )
        return
    found = view.events[event]
    ends = extremes(found)
    if ends is None:
        section.note(
            f"There is no answer: in no cell does any patient count for {event_words(found)} "
            "(failed, or not covered by the definition). Section 8 says how many failed."
        )
        return
    low, high = ends
    until = _until(view)
    if view.sweep.n_cells == 1:
        answer = f"The risk of {event_words(found)}{until} is {risk_in_words(found, low)}."
    elif float(found["risk"].values[low]) == float(found["risk"].values[high]):
        answer = (
            f"The risk of {event_words(found)}{until} is the same in all cells: "
            f"{risk_in_words(found, low)}."
        )
    else:
        answer = (
            f"The risk of {event_words(found)}{until} is lowest, {risk_in_words(found, low)}, "
            f"for: {view.place(low)}{alike(found, low)}. It is highest, "
            f"{risk_in_words(found, high)}, for: {view.place(high)}{alike(found, high)}."
        )
    section.add(f'<p class="answer">{escape(answer)}</p>')
    if view.outcomes.failed.any():
        section.note(
            "Some courses failed and count nowhere (section 8 says how many and where). Those that "
            "did not fail may be different patients."
        )
    section.say(
        "Intervals say how far the simulated patients may be from infinitely many of the same "
        "kind. They say nothing about whether the model is right."
    )


def _until(view: View) -> str:
    from carsim.plots.theme import unit_text

    stop = view.sweep.scenario.stop
    if not isinstance(stop, float) or any(axis.path == "stop" for axis in view.sweep.design.axes):
        return ""
    unit = view.sweep.scenario.model.time_unit
    if unit == "day":
        return f" by day {stop:g}"
    return f" within {stop:g} {unit_text(unit)}"


def _varied(section: Section, view: View) -> None:
    from carsim.plots.theme import capital

    section.head("What was varied")
    cells, patients = view.sweep.n_cells, view.sweep.n_patients
    kind = DESIGNS.get(view.sweep.design.kind, f"Design: {view.sweep.design.kind}")
    section.say(
        f"{kind}: {counted(cells, 'cell')} with "
        + (
            f"the same {patients:,} virtual patients in each, {cells * patients:,} courses in all, "
            "so that differences between cells are those of the treatment and not of the draw."
            if view.has_patients
            else "one patient in each."
        )
    )
    if patients > MOST_PATIENTS:
        section.note(
            f"Each cell has {patients:,} patients. This report looks at the first "
            f"{MOST_PATIENTS:,} of each; the result holds all."
        )
    rows = []
    for axis in view.axes:
        labels, unit = axis.levels
        rows.append((escape(capital(axis.words)), escape(_levels(labels)), escape(unit or "–")))
    if rows:
        section.add(table(("Axis", "Values", "Unit"), rows))


def _levels(labels: list[str]) -> str:
    distinct = list(dict.fromkeys(labels))
    if len(distinct) <= MOST_LEVELS:
        return "; ".join(distinct)
    try:
        ends = sorted(float(label) for label in distinct)
    except ValueError:
        rest = len(distinct) - MOST_LEVELS
        return f"{'; '.join(distinct[:MOST_LEVELS])} and {rest} more"
    return f"{counted(len(distinct), 'value')} from {short(ends[0])} to {short(ends[-1])}"


def _counted(section: Section, view: View) -> None:
    if not view.sweep.scenario.endpoints:
        return
    section.head("What was counted")
    unit = view.sweep.scenario.model.time_unit
    for endpoint in view.sweep.scenario.endpoints.values():
        if isinstance(endpoint, HBVReactivation):
            _reactivation(section, endpoint, unit, view.sweep.scenario.infusion)
        elif isinstance(endpoint, HepatitisFlare):
            _flare(section, endpoint, unit)
    others = [
        _first_line(each)
        for each in view.sweep.scenario.endpoints.values()
        if not isinstance(each, HBVReactivation | HepatitisFlare)
    ]
    if others:
        section.say("Also kept of each patient:")
        section.items(others)
    rows = [
        (f"<code>{escape(name)}</code>", *pair)
        for name, endpoint in view.sweep.scenario.endpoints.items()
        for pair in _settings(endpoint)
    ]
    if rows:
        html = table(("Endpoint", "Setting", "Value"), rows)
        section.fold(
            f"All settings of the endpoints (times in {unit}s, thresholds in the unit of the "
            "observable that is read)",
            html,
        )


def _reactivation(section: Section, endpoint: HBVReactivation, unit: str, infusion: float) -> None:
    definition = definition_of(endpoint.definition)
    baseline = {
        "start": "the start of the simulation",
        "none": "never (the criteria for patients without a baseline are used)",
    }.get(str(endpoint.baseline), f"{unit} {endpoint.baseline}")
    section.add(
        f"<p><b>HBV reactivation as {escape(definition.name)} defines it</b> "
        f"({linked(definition.source)}), looked for at visits every {endpoint.every:g} {unit}s "
        f"from {unit} {infusion:g} (the infusion) on. HBV DNA is detectable from "
        f"{endpoint.detection_limit:g} IU/mL, HBsAg from {endpoint.hbsag_limit:g} IU/mL; baseline "
        f"HBV DNA is that of {escape(baseline)}. A patient has reactivated if any line that "
        "applies is met:</p>"
    )
    section.items([_criterion(each) for each in definition.criteria])


def _criterion(criterion: Criterion) -> str:
    whom = {"any": "All patients"}.get(criterion.serostatus, f"{criterion.serostatus} patients")
    marker = {"hbv_dna": "HBV DNA", "hbsag": "HBsAg"}[criterion.marker]
    when = {
        "any": "",
        "known": f" with a baseline {marker}",
        "unknown": f" without a baseline {marker}",
    }.get(criterion.baseline, f" with {criterion.baseline} baseline {marker}")
    often = "" if criterion.visits == 1 else f", at {criterion.visits} visits in a row"
    return f"{whom}{when}: {criterion.words}{often}"


def _flare(section: Section, endpoint: HepatitisFlare, unit: str) -> None:
    criterion = FLARE_CRITERIA[endpoint.criterion]
    conditions = []
    if criterion.fold_of_baseline is not None:
        conditions.append(f"at least {criterion.fold_of_baseline:g} times its baseline")
    if criterion.above is not None:
        conditions.append(f"above {criterion.above:g} U/L")
    section.add(
        f"<p><b>Hepatitis flare ({escape(endpoint.criterion)})</b>: ALT {listed(conditions)} at a "
        f"visit, every {endpoint.every:g} {unit}s ({linked(criterion.source)}).</p>"
    )


def _first_line(endpoint: Endpoint) -> str:
    return (inspect.getdoc(type(endpoint)) or type(endpoint).__name__).splitlines()[0]


def _settings(endpoint: Endpoint) -> list[tuple[str, str]]:
    kind: Any = type(endpoint)
    if not dataclasses.is_dataclass(kind):
        return []
    pairs = ((field.name, getattr(endpoint, field.name)) for field in dataclasses.fields(kind))
    return [
        (
            f"<code>{escape(name)}</code>",
            escape(f"{given:g}" if isinstance(given, float) else str(given)),
        )
        for name, given in pairs
    ]
