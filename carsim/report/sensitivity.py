"""Sixth section: what the endpoint hangs on, among the patients of a cell and between the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from carsim.errors import ScenarioError
from carsim.hypertext import counted, table
from carsim.report.question import event_words
from carsim.report.section import Section, about, lower_first, percent
from carsim.report.view import LEVEL, View

if TYPE_CHECKING:
    import xarray as xr

MOST_IN_SENTENCE = 3

FEW = 20
"""Events, or patients without one, below which the report warns: its own rule of thumb."""

WHAT_IT_IS = (
    "A partial rank correlation says how far patients with more of a parameter are patients with "
    "more of the endpoint, once what the other sampled parameters explain is taken out: 1 is "
    "always, 0 not at all, −1 the other way round. It sees effects in one direction only; one that "
    "goes up and then down may be missed. A yes-or-no endpoint keeps it well below 1."
)


@dataclass(frozen=True)
class Correlated:
    """Partial rank correlations of the patients of one cell.

    Attributes
    ----------
    output : str
        Name of the endpoint.
    at : tuple of int
        Position of the cell.
    found : xarray.Dataset
        Result of `carsim.sensitivity.patient_prcc`.
    events, n : int
        Patients with the event, and patients that count; `events` is -1 for a number.
    """

    output: str
    at: tuple[int, ...]
    found: xr.Dataset
    events: int
    n: int

    @property
    def order(self) -> list[int]:
        """Positions of the parameters that have a coefficient, the strongest first."""
        values = np.abs(self.found["prcc"].values[:, 0])
        order = np.argsort(-values, kind="stable")
        return [int(k) for k in order if np.isfinite(values[k])]

    @property
    def names(self) -> list[str]:
        """Names of these parameters."""
        return [str(self.found["factor"].values[k]) for k in self.order]


def correlated(view: View) -> Correlated | str:
    """Correlate the endpoint with what was drawn, in the cell where most patients have it.

    Returns
    -------
    Correlated or str
        Why there is none, as a sentence.
    """
    from carsim.sensitivity import patient_prcc

    if not view.has_patients:
        return "There is no population whose patients could be compared."
    event = view.event
    output = event or next(iter(view.numbers), None)
    if output is None:
        return "No number was kept of the patients."
    at: tuple[int, ...] = tuple(size // 2 for size in view.shape)
    events = -1
    if event is not None:
        risks = view.events[event]
        shares = np.asarray(risks["risk"].values)
        mixed = np.where((shares > 0.0) & (shares < 1.0), shares, -1.0)
        if not mixed.size or float(mixed.max()) < 0.0:
            return (
                f"In every cell all patients have {event_words(risks)} or none has: nothing tells "
                "them apart."
            )
        at = tuple(int(k) for k in np.unravel_index(int(np.argmax(mixed)), shares.shape))
        events = int(risks["events"].values[at])
    cell = view.patients_of(at)[[output]]
    if view.is_unfinished:  # the draws of some patients may not be written yet
        drawn = [each.values for each in cell.coords.values() if each.dims == ("patient",)]
        known = [np.isfinite(values) for values in drawn if values.dtype.kind == "f"]
        if known:
            cell = cell.isel(patient=np.flatnonzero(np.logical_and.reduce(known)))
    try:
        found = patient_prcc(cell, [output], level=LEVEL)
    except ScenarioError:  # nothing was drawn
        return "No parameter was drawn, so that patients differ in nothing that could be compared."
    n = int(found["n"].values[0])
    if not np.isfinite(found["prcc"].values).any():
        return f"No coefficient can be computed: {found['why'].values[0, 0]}."
    return Correlated(output, at, found, events, n)


def sensitivity(view: View, driving: Correlated | str) -> Section:
    """Say which drawn parameters, and which swept axes, the endpoint hangs on."""
    section = Section("What it hangs on")
    section.head("Differences between patients")
    if isinstance(driving, str):
        section.say(driving)
    else:
        _patients(section, view, driving)
    if view.event is not None and view.axes:
        _axes(section, view, view.event)
    return section


def _patients(section: Section, view: View, driving: Correlated) -> None:
    from carsim.plots import as_png, panels_figure, sensitivity_bars

    found, order = driving.found, driving.order
    values, lower, upper = (
        found[name].values[:, 0] for name in ("prcc", "prcc_lower", "prcc_upper")
    )
    words = lower_first(about(view.data[driving.output])[0])
    where = view.place(driving.at)
    constant = len(found["factor"]) - len(order)
    section.say(WHAT_IT_IS)
    which = (
        "the cell with the highest risk that is not 100 %" if driving.events >= 0 else "one cell"
    )
    section.say(
        f"Here: {words} and {counted(len(found['factor']), 'sampled parameter')}"
        + (f", in {which} ({where})" if where else "")
        + f"; {driving.n:,} patients count"
        + (f", of whom {driving.events:,} have the event." if driving.events >= 0 else "."),
        f"{counted(constant, 'parameter')} {'does' if constant == 1 else 'do'} not vary between "
        "them."
        if constant
        else "",
    )
    fewest = min(driving.events, driving.n - driving.events)
    if driving.events >= 0 and fewest < FEW:
        section.note(
            f"Too few to say much: only {counted(fewest, 'patient')} "
            f"{'with' if driving.events == fewest else 'without'} the event (fewer than {FEW}). "
            "The order below may be chance."
        )
    top = "; ".join(
        f"{found['factor_words'].values[k]} {_with_interval(values[k], lower[k], upper[k])}"
        for k in order[:MOST_IN_SENTENCE]
    )
    unsure = sum(1 for k in order if lower[k] <= 0.0 <= upper[k])
    section.say(
        f"The strongest, with 95 % intervals: {top}.",
        f"For {unsure} of {len(order)} parameters the interval includes zero: nothing is shown "
        f"about them. Of {len(order)} intervals about {max(1, round(0.05 * len(order)))} would "
        "miss zero by chance alone.",
    )
    bars = min(len(order), 15)
    section.draw(
        as_png(
            panels_figure(
                [lambda ax: sensitivity_bars(found, driving.output, most=bars, ax=ax)],
                size=(8.0, 1.2 + 0.36 * bars),
                legend=False,
            )
        ),
        f"Bars of the partial rank correlations of {words} with the sampled parameters; the "
        "numbers are in the table below.",
        "Bars: partial rank correlations, the strongest on top; lines: 95 % intervals (Fisher's z, "
        "an approximation for ranks). To the right: more of the parameter, more of the endpoint.",
    )
    rows = [
        (
            f"<code>{escape(str(found['factor'].values[k]))}</code>",
            escape(str(found["factor_words"].values[k])),
            _minus(f"{values[k]:.3f}"),
            _minus(f"{lower[k]:.3f} to {upper[k]:.3f}"),
        )
        for k in order
    ]
    header = ("Parameter", "What it is", "Partial rank correlation", "95 % interval")
    section.fold("Table of the correlations", table(header, rows, numbers=(2, 3)))


def _with_interval(value: float, lower: float, upper: float) -> str:
    return _minus(f"{value:.2f} ({lower:.2f} to {upper:.2f})")


def _minus(numbers: str) -> str:
    return numbers.replace("-", "−")


def _axes(section: Section, view: View, event: str) -> None:
    """Say how far the risk moves along each swept axis."""
    section.head("What was varied")
    risks = view.events[event]
    if not view.is_grid:
        _points(section, view, risks)
        return
    shares = np.asarray(risks["risk"].values)
    items = []
    for number, axis in enumerate(view.axes):
        others = tuple(k for k in range(shares.ndim) if k != number)
        complete = np.isfinite(shares).all(axis=number, keepdims=True)
        if shares.shape[number] < 2 or not complete.any():
            continue
        used = np.where(complete, shares, np.nan)
        means = np.asarray(np.nanmean(used, axis=others) if others else used)
        low, high = int(np.argmin(means)), int(np.argmax(means))
        items.append(
            f"{axis.words}: from {percent(means[low])} ({axis.level(low)}) to "
            f"{percent(means[high])} ({axis.level(high)}), "
            f"{100 * (means[high] - means[low]):.1f} percentage points."
        )
    if not items:
        return
    averaged = ", averaged over the values of the other axes" if len(view.axes) > 1 else ""
    section.say(
        f"Lowest and highest risk along each axis{averaged}. How far an axis moves the risk "
        "depends on the values that were chosen for it:"
    )
    section.items(items)


def _points(section: Section, view: View, risks: xr.Dataset) -> None:
    from carsim.sensitivity import prcc

    numbers = {axis.name: axis.coordinate.values for axis in view.axes if axis.is_number}
    numbers = {name: values for name, values in numbers.items() if np.ptp(values) > 0}
    if not numbers:
        return
    found = prcc(numbers, np.asarray(risks["risk"].values), level=LEVEL)
    items = _correlated_axes(view, found, list(numbers))
    if not items:
        section.say("There are too few points to tell the axes apart.")
        return
    section.say(
        "Partial rank correlations of the risk with the axes that are numbers, over the points:"
    )
    section.items(items)


def _correlated_axes(view: View, found: xr.Dataset, names: Sequence[str]) -> list[str]:
    values, lower, upper = (
        found[name].values[:, 0] for name in ("prcc", "prcc_lower", "prcc_upper")
    )
    return [
        f"{view.axis(name).words}: {_with_interval(values[k], lower[k], upper[k])}."
        for k, name in enumerate(names)
        if np.isfinite(values[k])
    ]
