"""Monitoring visits: a laboratory sees the patient every so many days, not continuously.

Published reactivation rates depend on the sampling grid (monthly or every three months), so the
grid is part of an endpoint's definition. The first visit is the infusion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carsim.endpoints.requirements import SAME_TIME, Array, Setting
from carsim.errors import ScenarioError
from carsim.therapy.rules import MOST_VISITS


def visit_times(setting: Setting, every: float) -> Array:
    """Visits from the infusion to the end of the simulation.

    Parameters
    ----------
    setting : Setting
        The simulation. The infusion is the first visit; one at the stop is included.
    every : float
        Days between visits.

    Returns
    -------
    float64 array, shape (n_visits,)

    Raises
    ------
    ScenarioError
        No visit falls into the simulation, or more than anybody means.
    """
    start, stop, infusion = setting.start, setting.stop, setting.infusion
    slack = SAME_TIME * max(1.0, abs(stop))
    last = (stop - infusion + slack) / every
    if last > MOST_VISITS:
        raise ScenarioError(
            f"every = {every:g} makes {last:.3g} visits from day {infusion:g} to day {stop:g}, "
            f"more than {MOST_VISITS:,}. Visit less often."
        )
    numbers = np.arange(np.floor(last) + 1.0)
    visits = infusion + every * numbers
    visits = visits[visits >= start - slack]
    if visits.size == 0:
        raise ScenarioError(
            f"No visit (every {every:g} days from day {infusion:g}) falls into the simulation "
            f"from day {start:g} to day {stop:g}. Extend it, or visit more often."
        )
    return np.asarray(np.clip(visits, start, stop), dtype=np.float64)


def is_visit(times: Array, every: float, infusion: float) -> NDArray[np.bool_]:
    """Which of the saved times are visits.

    Parameters
    ----------
    times : float64 array, shape (n_times,)
        Saved times, perhaps of several endpoints together.
    every : float
        Days between visits.
    infusion : float
        Day of the first visit.

    Returns
    -------
    bool array, shape (n_times,)
    """
    number = np.round((times - infusion) / every)
    slack = SAME_TIME * np.maximum(1.0, np.abs(times))
    return (number >= 0) & (np.abs(infusion + every * number - times) <= slack)


def column_of(times: Array, time: float) -> int:
    """Index of a saved time.

    Raises
    ------
    ScenarioError
        The time was not saved.
    """
    if times.size:
        nearest = int(np.argmin(np.abs(times - time)))
        if abs(times[nearest] - time) <= SAME_TIME * max(1.0, abs(time)):
            return nearest
    raise ScenarioError(
        f"The endpoint needs the values at day {time:g}, which were not saved. Save the times "
        "that `requires` asks for."
    )


def first_hit(hits: NDArray[np.bool_], times: Array) -> tuple[NDArray[np.bool_], Array]:
    """Whether and when a row is true for the first time.

    Parameters
    ----------
    hits : bool array, shape (n, n_visits)
        True where the visit meets a criterion.
    times : float64 array, shape (n_visits,)
        Times of the visits.

    Returns
    -------
    happened : bool array, shape (n,)
    time : float64 array, shape (n,)
        NaN where it never happened.
    """
    happened: NDArray[np.bool_] = np.asarray(hits.any(axis=1))
    if times.size == 0:
        return happened, np.full(len(hits), np.nan)
    first = np.where(happened, times[hits.argmax(axis=1)], np.nan)
    return happened, np.asarray(first, dtype=np.float64)


def in_a_row(hits: NDArray[np.bool_], visits: int) -> NDArray[np.bool_]:
    """Mark the visits that complete `visits` consecutive true visits.

    Parameters
    ----------
    hits : bool array, shape (n, n_visits)
        True where the visit meets a criterion.
    visits : int
        How many in a row; 1 leaves the array as it is.
    """
    complete = hits.copy()
    for back in range(1, visits):
        complete[:, :back] = False
        complete[:, back:] &= hits[:, :-back]
    return complete
