"""Which duration is best, depending on how bad an event is held to be."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.endpoints import optimal_choice, optimal_duration, switching_points
from carsim.errors import ScenarioError
from carsim.hypertext import table
from carsim.report.axis import Axis
from carsim.report.risks import held
from carsim.report.section import Section, percent, short
from carsim.report.strategies import groups_of_patients
from carsim.report.view import LEVEL, View

if TYPE_CHECKING:
    import xarray as xr

LENGTHS = (".duration", ".months")
"""Fields of a therapy that say how long something is given."""

REPLICATES = 4000
DAY = "day"  # what losses are counted in

YEAR = 365.0
"""Loss of an event, in days of treatment, at which an option that is always best is judged."""


def decisions(section: Section, view: View, event: str) -> None:
    """Say which duration is best for which loss per event, if a duration was varied."""
    axis = _duration(view)
    if axis is None:
        if any(not each.is_number for each in view.others):
            section.say(
                "Which strategy is best depends on what it costs, which the result does not know. "
                "With costs in hand, carsim.endpoints.optimal_choice compares them."
            )
        return
    at, where = held(view, [axis.name, view.kind or ""])
    rows: list[tuple[str, ...]] = []
    for name, place, patients in groups_of_patients(view):
        values = view.data[event].isel({**at, **place}).isel(patient=patients).load()
        try:
            rows += _rows(values, axis, name)
        except ScenarioError:  # not a unit of time
            return
    if not rows:
        return
    section.head(f"Which {axis.words} is best?")
    section.say(
        "That depends on how bad one event is held to be. Here that is said in days of "
        "treatment: a loss of 100 means that sparing one patient the event is worth treating for "
        "100 days. The table says for which loss each duration has the least expected loss; "
        "a duration that is not in it never has."
    )
    stop, time_unit = view.sweep.scenario.last_stop, view.sweep.scenario.model.time_unit
    stop -= float(np.max(view.infusions))
    section.say(
        f"Assumed: every planned day of treatment is as bad as any other, every event as bad "
        f"as any other, and nothing else counts. Follow-up ends at {stop:g} {time_unit}s after the "
        "infusion: an event after that is not seen, which favors treatments that end late. The "
        f"borders are estimates; the last column says in how many of {REPLICATES:,} cohorts drawn "
        f"from this one (bootstrap) the duration is the best one. {where}"
    )
    header = (
        "Patients",
        "Loss of one event (days of treatment)",
        f"Best {escape(axis.words)}",
        "Risk then",
        "How often best, at this loss",
    )
    section.add(table(header, rows, numbers=(3, 4)))


def _duration(view: View) -> Axis | None:
    """The axis along which a treatment was made longer."""
    paths = {axis.name: axis.path for axis in view.sweep.design.axes}
    for axis in view.others:
        first, _, rest = paths[axis.name].partition(".")
        if axis.is_number and first == "therapy" and rest.endswith(LENGTHS):
            return axis
    return None


def _rows(values: xr.DataArray, axis: Axis, name: str) -> list[tuple[str, ...]]:
    cheapest = optimal_duration(values, axis.name, loss_per_event=0.0, replicates=1)
    if int(cheapest["n"]) == 0:
        return []
    steps = switching_points(cheapest)
    starts, stops = (np.asarray(steps[each].values) for each in ("starts", "stops"))
    judged = np.array([_inside(low, high) for low, high in zip(starts, stops, strict=True)])
    costs = np.asarray(cheapest["cost"].values)
    sure = optimal_choice(
        values,
        axis.name,
        cost=costs,
        loss_per_event=judged,
        unit=DAY,
        level=LEVEL,
        replicates=REPLICATES,
    )
    shares = sure["probability_best"].transpose("loss_per_event", axis.name).values
    rows: list[tuple[str, ...]] = []
    levels: list[Any] = axis.coordinate.values.tolist()
    for k, option in enumerate(steps["option"].values.tolist()):
        place = levels.index(option)
        upto = "any" if len(starts) == 1 else f"{short(starts[k])} or more"
        if np.isfinite(stops[k]):
            upto = f"{short(starts[k])} to {short(stops[k])}" if k else f"below {short(stops[k])}"
        rows.append(
            (
                escape(name) or "all",
                upto,
                escape(axis.level(place)),
                percent(float(steps["risk"].values[k])),
                f"{100 * shares[k, place]:.0f} %<small>at {short(judged[k])}</small>",
            )
        )
    return rows


def _inside(low: float, high: float) -> float:
    """A loss well inside a range; twice its start if it has no end."""
    if np.isinf(high):
        return 2.0 * low if low > 0 else YEAR
    return float(np.sqrt(low * high)) if low > 0 else 0.5 * high
