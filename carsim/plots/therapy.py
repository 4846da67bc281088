"""What was done to the patients, in pictures: periods of therapy, and marks of logged events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.theme import (
    COLORS,
    EVENT_ROW,
    FIRST_EVENT_ROW,
    SHADE,
    arrange_top,
    capital,
    patients_of,
    succeeded,
)

if TYPE_CHECKING:
    import xarray as xr

Span: TypeAlias = tuple[float, float]
Periods: TypeAlias = Mapping[str, Sequence[Span]]

ROUTE_WORDS = {
    "car_t": "CAR-T cells",
    "ivig": "Immunoglobulin",
    "anti_cd20": "Anti-CD20 antibody",
}
_SHADES = {
    "Lymphodepletion": "#C9B7A4",
    "Entecavir": SHADE,
    "Tocilizumab": "#CFE0EA",
    "Dexamethasone": "#E3D7E8",
    "Immunoglobulin": "#D9E8DA",
}


def therapy_courses(result: xr.Dataset, *, join: float = 1.0) -> dict[str, list[list[Span]]]:
    """When each patient was given what, from the scenario and the event log of a result.

    What is scheduled is read off the scenario; what rules and hazards did, and what they ended, off
    the event log. So the times are those of the simulation and do not depend on what was saved.

    Parameters
    ----------
    result : xarray.Dataset
        Result of `carsim.simulate` with its attributes and event log; perhaps a part of its
        patients.
    join : float, model time unit
        Doses and infusions of one route that are no further apart make one course: from the first
        to the last dose. 1 joins daily doses.

    Returns
    -------
    dict of str to list (one entry a patient of `result`) of list of (start, stop)
        By route, in words ("Entecavir"); by parameter for windows. A single dose is a course of no
        length.

    Raises
    ------
    ScenarioError
        No event log, patients that the scenario does not have, or an item that cannot be scheduled.
    CarsimError
        The attributes do not come from carsim.
    """
    # Reading a scenario loads its model: only for those who ask.
    from carsim.playback import replay
    from carsim.scenario import prepare
    from carsim.therapy import Dose, Infusion, People, Window
    from carsim.therapy.expand import administration, window_times
    from carsim.therapy.history import History
    from carsim.therapy.values import columns

    _check_log(result)
    prepared = prepare(replay(result))
    scenario = prepared.scenario
    rows = _rows(result, prepared.patients)
    seed = 0 if scenario.population is None else scenario.population.seed
    people = People(
        prepared.p, prepared.y0[:, : len(scenario.model.states)], prepared.patients, seed
    )
    stop = columns(scenario.stop)
    history = History(scenario.model, people, scenario.items, scenario.start, stop)
    last = np.broadcast_to(stop, (len(people), 1))[rows]
    found: dict[str, list[list[Span]]] = {}
    for name, item in scenario.items.items():
        where = f"therapy.{name}"
        if isinstance(item, Dose | Infusion):
            given = administration(name, item, history, stop)
            begins, ends = given.enters, given.ends
            if isinstance(item, Dose):
                ends = begins
            words = ROUTE_WORDS.get(item.into, capital(item.into.replace("_", " ")))
        elif isinstance(item, Window) and name != "landings":  # in which nothing changes
            begins, ends = window_times(where, item, scenario.start, stop)
            words = item.parameter
        else:
            continue
        shape = (len(people), begins.shape[1])
        begins = np.broadcast_to(begins, shape)[rows]
        ends = np.minimum(np.broadcast_to(ends, shape)[rows], last)
        courses = found.setdefault(words, [[] for _ in rows])
        for course, starts, stops in zip(courses, begins.tolist(), ends.tolist(), strict=True):
            course.extend(span for span in zip(starts, stops, strict=True) if np.isfinite(span[0]))
    joined = {
        words: [_joined(spans, join) for spans in courses] for words, courses in found.items()
    }
    return {words: courses for words, courses in joined.items() if any(courses)}


def scheduled_periods(
    result: xr.Dataset, *, share: float = 0.1, join: float = 1.0
) -> dict[str, list[Span]]:
    """Periods of therapy of a cohort, from the scenario and the event log of a result.

    Parameters
    ----------
    result : xarray.Dataset
        Result of `carsim.simulate`, of one patient or of many.
    share : float
        A period is what this share of the patients or more have at the same time.
    join : float, model time unit
        As for `therapy_courses`.

    Returns
    -------
    dict of str to list of (start, stop)
        For `shade` and the `shading` of other figures. Single doses have no length and are left
        out.
    """
    if not 0.0 < share <= 1.0:
        raise ScenarioError(f"share = {share!r} must lie above 0 and not above 1. Give 0.1.")
    periods = {}
    for words, courses in therapy_courses(result, join=join).items():
        spans = [span for course in courses for span in course if span[1] > span[0]]
        if spans:
            shared = _shared(spans, share * len(courses))
            if shared:
                periods[words] = shared
    return periods


def therapy_periods(dataset: xr.Dataset) -> dict[str, list[Span]]:
    """When patients have a drug, read off its concentration.

    `scheduled_periods` gives the exact times of what was given; this one needs nothing but the
    courses, and shows how long the drug stays.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result; looks at `lymphodepletion`, `entecavir`, `tocilizumab`, `dexamethasone`.

    Returns
    -------
    dict of str to list of (start, stop)
        Drugs with the periods in which a tenth of the patients or more is above 5 % of the
        largest concentration; drugs never given are left out.
    """
    time = np.asarray(dataset["time"].values, dtype=np.float64)
    periods: dict[str, list[Span]] = {}
    for name in ("lymphodepletion", "entecavir", "tocilizumab", "dexamethasone"):
        if name not in dataset:
            continue
        curves = np.nan_to_num(curves_of(dataset[name]))
        top = float(np.max(curves))
        if not top > 0:
            continue
        has_it = np.mean(curves > 0.05 * top, axis=0) >= 0.1
        periods[capital(name)] = runs(has_it, time)
    return periods


def shade_color(name: str) -> str:
    """Return the color behind the lines while a drug is given."""
    return _SHADES.get(name, "#DDDDDD")


def shade(ax: Axes, periods: Periods) -> None:
    """Draw periods of therapy behind the lines of an axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes over time.
    periods : mapping of str to pairs of times
        Such as those of `scheduled_periods`. Each name is one entry of the legend, however many
        periods it has.
    """
    for number, (name, spans) in enumerate(periods.items()):
        for place, (start, stop) in enumerate(spans):
            ax.axvspan(
                start,
                stop,
                color=shade_color(name),
                linewidth=0,
                zorder=-10 + number,
                alpha=0.7,
                label=name if place == 0 else None,
            )


def event_marks(
    result: xr.Dataset,
    *,
    events: Iterable[str] | None = None,
    names: Mapping[str, str] | None = None,
    ax: Axes,
) -> Axes:
    """Mark the logged events of a result above an axes over time, a row for each kind.

    Every firing is a tick, and at the right end of the row stands what it is and how many of the
    patients have it. With a single patient a thin line goes down through the axes, too. Call it
    after the courses are drawn: events outside of the axes' limits are left out.

    Parameters
    ----------
    result : xarray.Dataset
        Result of `carsim.simulate` with its event log. Events of patients that are not in it, and
        of failed ones, are not marked.
    events : iterable of str, optional
        Names in the log, such as "antiviral.detection"; by default all that fired, in order of
        their first firing, without pools that went extinct.
    names : mapping of str to str, optional
        Words for the names: ``{"antiviral.detection": "entecavir started"}``.
    ax : matplotlib.axes.Axes
        Axes to mark.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ScenarioError
        No event log, or an event that the log does not have.
    """
    _check_log(result)
    logged = np.asarray(result["event_name"].values).astype(str)
    when = np.asarray(result["event_time"].values, dtype=np.float64)
    who = np.asarray(result["event_patient"].values)
    kept = patients_of(result)[succeeded(result)]
    mine = np.isin(who, kept)
    if events is None:
        order = np.argsort(when, kind="stable")
        fired = dict.fromkeys(logged[order][mine[order]].tolist())
        chosen = [name for name in fired if not name.startswith("extinct:")]
    else:
        chosen = list(events)
        known = dict.fromkeys(logged.tolist())
        for name in chosen:
            if name not in known:
                raise ScenarioError(unknown("event", name, known, "the event log"))
    low, high = ax.get_xlim()
    assert ax.figure is not None
    for row, name in enumerate(chosen):
        here = mine & (logged == name) & (when >= low) & (when <= high)
        color = COLORS[row % len(COLORS)]
        up = FIRST_EVENT_ROW + EVENT_ROW * row
        lift = ScaledTranslation(0.0, up / 72.0, ax.figure.dpi_scale_trans)
        above = ax.get_xaxis_transform() + lift
        frame = ax.transAxes + lift
        ax.plot([0, 1], [1, 1], transform=frame, clip_on=False, color="#E5E5E5", linewidth=0.6)
        ax.plot(
            when[here],
            np.ones(int(here.sum())),
            "|",
            transform=above,
            clip_on=False,
            color=color,
            markersize=7,
            markeredgewidth=1.1,
            gid=f"event {name}",
        )
        words = (names or {}).get(name, name)
        if len(kept) > 1:
            words += f" ({len(np.unique(who[mine & (logged == name)]))} of {len(kept)})"
        else:
            for time in when[here]:
                ax.axvline(time, color=color, linewidth=0.7, alpha=0.7, linestyle=(0, (4, 2)))
        ax.annotate(
            words,
            xy=(1, 1),
            xycoords="axes fraction",
            xytext=(5, up),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=color,
        )
    ax.set_xlim(low, high)
    arrange_top(ax, rows=len(chosen))
    return ax


def curves_of(variable: xr.DataArray) -> NDArray[np.float64]:
    """Values of a variable as (patients, times).

    Raises
    ------
    ScenarioError
        It has no time, or another dimension besides the patients.
    """
    others = [d for d in variable.dims if d not in ("patient", "time")]
    if "time" not in variable.dims or others:
        raise ScenarioError(
            f"'{variable.name}' has the dimensions {', '.join(map(str, variable.dims))}; a time "
            "course needs time, and perhaps patient. Choose one value of the others first."
        )
    if "patient" in variable.dims:
        variable = variable.transpose("patient", "time")
    return np.atleast_2d(np.asarray(variable.values, dtype=np.float64))


def runs(holds: NDArray[np.bool_], time: NDArray[np.float64]) -> list[Span]:
    """Periods in which something holds: from its first time to the first at which it does not."""
    padded = np.concatenate([[False], holds, [False]]).astype(int)
    first, last = np.flatnonzero(np.diff(padded) == 1), np.flatnonzero(np.diff(padded) == -1)
    return [
        (float(time[a]), float(time[min(b, len(time) - 1)]))
        for a, b in zip(first.tolist(), last.tolist(), strict=True)
    ]


def _check_log(result: xr.Dataset) -> None:
    for name in ("event_patient", "event_time", "event_name"):
        if name not in result:
            raise ScenarioError(
                f"The result has no event log: the variable '{name}' is missing. Give a result of "
                "carsim.simulate; sweeps keep endpoints only."
            )


def _rows(result: xr.Dataset, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the result's patients among those of the scenario."""
    patients = patients_of(result)
    missing = patients[~np.isin(patients, numbers)]
    if missing.size:
        raise ScenarioError(
            f"The scenario of the result has no patient {missing[0]}; it has {len(numbers)}. Give "
            "the result as carsim.simulate made it: joined results keep the scenario of the first."
        )
    return np.asarray(np.searchsorted(numbers, patients), dtype=np.int64)


def _joined(spans: list[Span], join: float) -> list[Span]:
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and start - joined[-1][1] <= join:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined


def _shared(spans: list[Span], least: float) -> list[Span]:
    """Periods in which `least` spans or more run at once."""
    edges = np.unique(np.array(spans))
    starts, stops = np.array(spans).T
    running = np.searchsorted(np.sort(starts), edges, side="right") - np.searchsorted(
        np.sort(stops), edges, side="right"
    )
    return runs(running >= max(least - 1e-9, 1.0), edges)
