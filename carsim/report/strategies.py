"""What the strategies change: risks compared in the same virtual patients."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.endpoints import number_needed_to_treat, risk_difference
from carsim.hypertext import table
from carsim.report.axis import Axis
from carsim.report.question import event_words
from carsim.report.risks import PANELS, held
from carsim.report.section import Section, short
from carsim.report.view import LEVEL, View

if TYPE_CHECKING:
    import xarray as xr

MOST_LEVELS = 6
MOST_COMPARED = 12


def some_of(count: int, most: int = MOST_LEVELS) -> list[int]:
    """Places of at most `most` of `count` values, both ends included."""
    places = np.linspace(0, count - 1, min(count, most)).round()
    return [int(place) for place in np.unique(places)]


def groups_of_patients(view: View) -> list[tuple[str, dict[str, int], Any]]:
    """Kinds of patients: name, position along the axes, which patients."""
    kind = view.kind
    if kind is None:
        return [("", {}, slice(None))]
    labels = np.array(view.data[kind].values.tolist())
    if kind in view.dims:
        return [(str(name), {kind: k}, slice(None)) for k, name in enumerate(labels)]
    distinct = [name for name in dict.fromkeys(labels.tolist()) if name]  # "": not drawn yet
    return [(name, {}, np.flatnonzero(labels == name)) for name in distinct]


def differences(section: Section, view: View, event: str) -> None:
    """Compare every value of the first axis with its first one, patient by patient."""
    from carsim.plots.theme import capital

    axis = view.others[0]
    compared = [k for k in some_of(len(axis.coordinate), MOST_COMPARED) if k != 0]
    if not compared:
        return
    at, where = held(view, [axis.name, view.kind or ""])
    found = {
        name: _paired(view, event, axis, compared, {**at, **place}, patients)
        for name, place, patients in groups_of_patients(view)
    }
    reference = level_words(axis, 0)
    section.head(f"Differences to {reference}")
    section.say(
        "Each virtual patient was treated both ways, so that risks can be subtracted patient by "
        f"patient; the reference is {reference}, the first value of the axis. Negative: fewer "
        f"events than under the reference. {where}"
    )
    section.items([_largest(axis, compared, name, each) for name, each in found.items()])
    section.say(_saved(list(found.values())))
    _draw(section, view, event, axis, compared, found)
    rows = [
        row
        for name, each in found.items()
        for row in _rows([axis.level(k) for k in compared], name, each)
    ]
    header = (
        escape(capital(axis.words)),
        "Patients",
        "Difference (percentage points)",
        "95 % interval",
        "Number needed to treat",
        "Event only here",
        "Event only under the reference",
        "Patients compared",
    )
    section.fold("Table of the differences", table(header, rows, numbers=(2, 3, 5, 6, 7)))


def level_words(axis: Axis, k: int) -> str:
    """Name a value of an axis inside a sentence."""
    return f"{axis.words} {axis.level(k)}" if axis.is_number else f"“{axis.level(k)}”"


def _paired(
    view: View, event: str, axis: Axis, compared: list[int], place: dict[str, int], patients: Any
) -> xr.Dataset:
    """Differences to the first value, one value after the other, so that two are in memory."""
    import xarray as xr

    values = view.data[event].isel(place).isel(patient=patients)
    reference = values.isel({axis.name: 0}).load()
    parts = [
        risk_difference(values.isel({axis.name: k}).load(), reference, level=LEVEL)
        for k in compared
    ]
    return xr.concat(parts, dim=axis.name, combine_attrs="override")


def _largest(axis: Axis, compared: list[int], name: str, found: xr.Dataset) -> str:
    who = name or "All patients"
    values = found["difference"].values
    if not np.isfinite(values).any():
        return f"{who}: nobody counts in both."
    best = int(np.nanargmin(values))
    each = found.isel({axis.name: best})
    if float(each["difference"]) >= 0:
        return f"{who}: no value has fewer events than the reference."
    words = str(number_needed_to_treat(each)["words"].values)
    return (
        f"{who}: the largest decrease is with {level_words(axis, compared[best])}, "
        f"{_signed(float(each['difference']))} percentage points (95 % interval {_ends(each)}); "
        f"{int(each['events_only_reference']):,} of {int(each['n']):,} patients have the event "
        f"only under the reference, {int(each['events_only_here']):,} only here. Patients to treat "
        f"for one event fewer: {words}."
    )


def _saved(found: list[xr.Dataset]) -> str:
    """Say how many patients the same random numbers save."""
    ratios = np.concatenate([np.ravel(each["variance_ratio"].values) for each in found])
    finite = ratios[np.isfinite(ratios)]
    if not finite.size:
        return ""
    low, middle, high = (short(float(each)) for each in np.quantile(finite, [0.0, 0.5, 1.0]))
    span = f"{middle} times" if finite.size == 1 else f"{low} to {high} times (median {middle})"
    return (
        "Because both arms are the same patients with the same random numbers, a difference is as "
        f"sure as that of two separate cohorts of {span} as many patients."
    )


def _draw(
    section: Section,
    view: View,
    event: str,
    axis: Axis,
    compared: list[int],
    found: dict[str, xr.Dataset],
) -> None:
    from carsim.plots import as_png, panels_figure
    from carsim.plots import differences as draw_differences

    labels = [axis.level(k) for k in compared]
    reference = axis.level(0)

    def panel(name: str, each: xr.Dataset) -> Callable[[Any], object]:
        return lambda ax: draw_differences(
            each, labels=labels, reference=reference, level=LEVEL, ax=ax, title=name
        )

    draw = [
        panel(name, each)
        for name, each in found.items()
        if np.isfinite(each["difference"].values).any()
    ]
    for first in range(0, len(draw), PANELS):
        part = draw[first : first + PANELS]
        size = (8.6, 1.0 + 0.34 * len(labels))
        section.draw(
            as_png(panels_figure(part, size=size, legend=False)),
            f"Differences in the risk of {event_words(view.events[event])} to "
            f"{level_words(axis, 0)}; the numbers are in the table below.",
            "Points: risk minus that of the reference in the same patients; lines: Tango's score "
            "interval for paired shares. Blue: fewer events, red: more, gray: not sure. At the "
            "right the numbers, and the number of patients to treat for one to benefit (NNTB) or "
            "to be harmed (NNTH); ∞ in an interval: there may be no difference.",
        )


def _rows(labels: list[str], name: str, found: xr.Dataset) -> list[tuple[str, ...]]:
    needed = [str(words) for words in number_needed_to_treat(found)["words"].values]
    rows = []
    for number, (label, words) in enumerate(zip(labels, needed, strict=True)):
        each = found.isel({found["difference"].dims[0]: number})
        known = int(each["n"]) > 0
        rows.append(
            (
                escape(label),
                escape(name) or "all",
                _signed(float(each["difference"])) if known else "–",
                _ends(each) if known else "–",
                escape(words),
                *(
                    f"{int(each[count]):,}"
                    for count in ("events_only_here", "events_only_reference", "n")
                ),
            )
        )
    return rows


def _ends(each: xr.Dataset) -> str:
    return f"{_signed(float(each['lower']))} to {_signed(float(each['upper']))}"


def _signed(share: float) -> str:
    return f"{100.0 * share:+.1f}".replace("-", "−")
