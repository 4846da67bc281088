"""Patients as horizontal lanes: how long they are followed, what they go through, what happens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.theme import (
    COLORS,
    MARKERS,
    axes_of,
    groups_of,
    left_out,
    note,
    patients_of,
    place_legend,
    succeeded,
    unit_of,
    unit_text,
)
from carsim.plots.therapy import Span, curves_of, runs
from carsim.plots.time_axis import time_axis
from carsim.plots.trajectories import check_variable

if TYPE_CHECKING:
    import xarray as xr

Ends: TypeAlias = tuple[str | float, str | float | None]
Phase: TypeAlias = Ends | Sequence[Sequence[Span]]
Mark: TypeAlias = str | float | Sequence[Sequence[float]]

MOST_LANES = 30
FOLLOW_UP = "#E9E9E9"
LANE = 0.78  # height; the rest is between the lanes


def periods_where(
    dataset: xr.Dataset, of: str, *, above: float | None = None, below: float | None = None
) -> list[list[Span]]:
    """Periods in which a saved course of each patient is above, or below, a threshold.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the dimension "time", and perhaps "patient".
    of : str
        Variable, such as "b_cells".
    above, below : float, optional
        Threshold in the variable's unit; give one of them.

    Returns
    -------
    list (one entry a patient) of list of (start, stop)
        From the first saved time at which it holds to the first at which it does not, so they are
        as exact as the saved times are close.
    """
    check_variable(dataset, of)
    if (above is None) == (below is None):
        raise ScenarioError("periods_where: give above or below, and not both.")
    curves = curves_of(dataset[of])
    time = np.asarray(dataset["time"].values, dtype=np.float64)
    holds = curves > above if above is not None else curves < cast(float, below)
    return [runs(row, time) for row in holds]


def swimmer(
    dataset: xr.Dataset,
    *,
    phases: Mapping[str, Phase] | None = None,
    marks: Mapping[str, Mark] | None = None,
    start: float | None = None,
    stop: float | None = None,
    by: str | None = None,
    sort: str | None = None,
    descending: bool = False,
    most: int = MOST_LANES,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Swimmer plot: a lane for each patient with its phases as bars and its events as markers.

    Every phase has its own place in the lane, so phases that overlap are all seen. Failed patients
    have no lane and are counted above the axes.

    Parameters
    ----------
    dataset : xarray.Dataset
        One patient dimension: a result of `carsim.simulate`, or one cell of a sweep.
    phases : mapping of str to phase
        By their words, drawn from top to bottom of a lane. A phase is a tuple ``(from, to)`` of
        times (day, or names of variables on "patient"; a `to` that is None or NaN is the end of
        follow-up, a `from` that is NaN no phase), or the list of the patients' periods that
        `periods_where` and `therapy_courses` give.
    marks : mapping of str to mark
        By their words, a marker each. A mark is a time for everybody, the name of a variable of
        times on "patient" (NaN: not marked), the name of a logged event
        ("antiviral.detection"), or a list of the patients' times.
    start, stop : float, optional
        Follow-up; by default the span of the simulation, which may end earlier for a patient.
    by : str, optional
        Coordinate on "patient" whose labels head a block of lanes each.
    sort : str, optional
        What lanes are sorted by within a block: a mark (its first time), a phase (its total
        length), or a variable or coordinate on "patient"; patients without it come last. By
        default the order of the dataset.
    descending : bool
        Largest first.
    most : int
        Number of lanes of a block: the first ones, in the order of the dataset, before sorting.
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
        Unknown names, further dimensions, or lists that do not have one entry a patient.
    """
    numbers = patients_of(dataset)
    begin = _start(dataset) if start is None else float(start)
    ends = _stops(dataset, len(numbers)) if stop is None else np.full(len(numbers), float(stop))
    spans = {
        words: _spans(dataset, words, phase, ends, len(numbers))
        for words, phase in (phases or {}).items()
    }
    times = {
        words: _times(dataset, words, mark, len(numbers)) for words, mark in (marks or {}).items()
    }
    keys = _keys(dataset, sort, spans, times, len(numbers))
    good = succeeded(dataset)
    ax = axes_of(ax)
    place, drawn = 0.0, 0
    ticks: list[tuple[float, str]] = []
    place_of = {number: k for k, number in enumerate(numbers.tolist())}
    for label, part in groups_of(dataset, by):
        rows = np.array([place_of[number] for number in patients_of(part).tolist()], dtype=int)
        rows = rows[good[rows]][:most]
        order = np.argsort(-keys[rows] if descending else keys[rows], kind="stable")  # NaN last
        if label:
            ax.text(begin, place, label, fontsize=8, fontweight="bold", va="center")
            place += 1.0
        for row in rows[order].tolist():
            lane_spans = {words: each[row] for words, each in spans.items()}
            lane_times = {words: each[row] for words, each in times.items()}
            _lane(ax, place, (begin, float(ends[row])), lane_spans, lane_times)
            ticks.append((place, str(numbers[row])))
            place += 1.0
        drawn += len(rows)
    ax.set_ylim(place - 0.4, -0.6)
    ax.set_xlim(begin, float(np.max(ends[good], initial=begin + 1e-9)))
    ax.set_yticks([y for y, _ in ticks], [name for _, name in ticks])
    ax.tick_params(axis="y", length=0, labelsize=6.5)
    ax.set_ylabel("Virtual patient")
    time_axis(ax, dataset, _time_unit(dataset))
    ax.set_title(title)
    note(ax, left_out(drawn, int(good.sum()), int((~good).sum())))
    place_legend(ax, _handles(list(spans), list(times)), beside=True)
    return ax


def _lane(
    ax: Axes,
    place: float,
    follow_up: Span,
    spans: Mapping[str, Sequence[Span]],
    times: Mapping[str, Sequence[float]],
) -> None:
    first, last = follow_up
    ax.barh(place, last - first, left=first, height=LANE, color=FOLLOW_UP, gid="follow-up")
    height = LANE / max(len(spans), 1)
    for number, (words, periods) in enumerate(spans.items()):
        inside = [(max(a, first), min(b, last)) for a, b in periods if b > first and a < last]
        if not inside:
            continue  # an empty collection would still ask the layout for room
        ax.broken_barh(
            [(a, b - a) for a, b in inside],
            (place - LANE / 2 + number * height, height),
            facecolors=COLORS[number % len(COLORS)],
            alpha=0.75,
            linewidth=0,
            gid=f"phase {words}",
        )
    for number, (words, each) in enumerate(times.items()):
        seen = [time for time in each if first <= time <= last]
        if not seen:
            continue
        ax.plot(
            seen,
            [place] * len(seen),
            linestyle="none",
            gid=f"mark {words}",
            **_marker(number),  # type: ignore[arg-type]
        )


def _marker(number: int) -> dict[str, object]:
    """Black and white in turn, on whatever color: shapes tell the marks apart."""
    return {
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 5.0,
        "markerfacecolor": "black" if number % 2 == 0 else "white",
        "markeredgecolor": "white" if number % 2 == 0 else "black",
        "markeredgewidth": 0.7,
        "clip_on": False,
        "zorder": 5,
    }


def _handles(phases: list[str], marks: list[str]) -> list[Artist]:
    handles: list[Artist] = [Patch(color=FOLLOW_UP, label="follow-up")]
    handles += [
        Patch(color=COLORS[k % len(COLORS)], alpha=0.75, label=words)
        for k, words in enumerate(phases)
    ]
    handles += [
        Line2D([], [], linestyle="none", label=words, **_marker(k))  # type: ignore[arg-type]
        for k, words in enumerate(marks)
    ]
    return handles


def _of_patients(dataset: xr.Dataset, name: str, where: str, number: int) -> NDArray[np.float64]:
    """Numbers of a variable or coordinate, one a patient."""
    known = [str(key) for key, each in dataset.variables.items() if each.dtype.kind in "iufb"]
    if name not in known:
        raise ScenarioError(unknown("variable on 'patient'", name, known, where))
    if not set(dataset[name].dims) <= {"patient"}:
        others = [str(d) for d in dataset[name].dims if d != "patient"]
        raise ScenarioError(
            f"{where}: '{name}' also varies along {', '.join(others)}. Choose one value first, for "
            "example with dataset.isel(...)."
        )
    return np.broadcast_to(np.asarray(dataset[name].values, dtype=np.float64), (number,))


def _spans(
    dataset: xr.Dataset, words: str, phase: Phase, ends: NDArray[np.float64], number: int
) -> list[list[Span]]:
    where = f"swimmer, phase {words!r}"
    if not isinstance(phase, tuple):
        _check_one_each(phase, where, number)
        return [list(each) for each in phase]
    if len(phase) != 2:
        raise ScenarioError(f"{where}: {phase!r}. Give (from, to), or a list of periods a patient.")
    edges = [
        _of_patients(dataset, edge, where, number)
        if isinstance(edge, str)
        else np.full(number, np.nan if edge is None else float(edge))
        for edge in cast(Ends, phase)
    ]
    stops = np.where(np.isfinite(edges[1]), edges[1], ends)
    return [
        [(a, b)] if np.isfinite(a) and b > a else []
        for a, b in zip(edges[0].tolist(), stops.tolist(), strict=True)
    ]


def _times(dataset: xr.Dataset, words: str, mark: Mark, number: int) -> list[list[float]]:
    where = f"swimmer, mark {words!r}"
    if isinstance(mark, int | float):
        return [[float(mark)]] * number
    if not isinstance(mark, str):
        _check_one_each(mark, where, number)
        return [list(each) for each in mark]
    if "event_name" in dataset and mark not in dataset.variables:
        names = np.asarray(dataset["event_name"].values).astype(str)
        if mark not in names:
            known = [*dict.fromkeys(names.tolist()), *map(str, dataset.variables)]
            raise ScenarioError(unknown("event or variable", mark, known, where))
        who = np.asarray(dataset["event_patient"].values)[names == mark]
        when = np.asarray(dataset["event_time"].values, dtype=np.float64)[names == mark]
        return [when[who == patient].tolist() for patient in patients_of(dataset)]
    values = _of_patients(dataset, mark, where, number)
    return [[value] if np.isfinite(value) else [] for value in values.tolist()]


def _check_one_each(values: Sequence[object], where: str, number: int) -> None:
    if len(values) != number:
        raise ScenarioError(
            f"{where}: a list of {len(values)} for {number} patients. Give one list a patient, "
            "which may be empty."
        )


def _keys(
    dataset: xr.Dataset,
    sort: str | None,
    spans: Mapping[str, list[list[Span]]],
    times: Mapping[str, list[list[float]]],
    number: int,
) -> NDArray[np.float64]:
    """What the lanes are sorted by, NaN for patients without it."""
    if sort is None:
        return np.zeros(number)
    if sort in times:
        return np.array([min(each, default=np.nan) for each in times[sort]])
    if sort in spans:
        return np.array([sum(b - a for a, b in each) if each else np.nan for each in spans[sort]])
    if sort not in dataset.variables:
        known = [*times, *spans, *map(str, dataset.variables)]
        raise ScenarioError(unknown("key to sort by", sort, known, "swimmer"))
    return _of_patients(dataset, sort, "swimmer, sort", number)


def _scenario(dataset: xr.Dataset, key: str) -> float | None:
    value = json.loads(dataset.attrs.get("scenario", "{}")).get(key)
    return float(value) if isinstance(value, int | float) else None


def _start(dataset: xr.Dataset) -> float:
    known = _scenario(dataset, "start")
    if known is not None:
        return known
    return float(dataset["time"].values[0]) if "time" in dataset.coords else 0.0


def _stops(dataset: xr.Dataset, number: int) -> NDArray[np.float64]:
    """End of follow-up of every patient."""
    for name in ("final_time", "simulation_stop"):
        if name in dataset.variables and set(dataset[name].dims) <= {"patient"}:
            return _of_patients(dataset, name, "swimmer", number)
    known = _scenario(dataset, "stop")
    if known is None:
        if "time" not in dataset.coords:
            raise ScenarioError(
                "swimmer: the result does not say when follow-up ended. Give stop (day)."
            )
        known = float(dataset["time"].values[-1])
    return np.full(number, known)


def _time_unit(dataset: xr.Dataset) -> str:
    """Unit of the times, from whatever variable has one."""
    timed = ["time", "event_time", *(str(v) for v in dataset.variables if str(v).endswith("_time"))]
    for name in timed:
        if name in dataset.variables and {"units", "carsim_units"} & set(dataset[name].attrs):
            return unit_text(unit_of(dataset[name]))
    return "days"
