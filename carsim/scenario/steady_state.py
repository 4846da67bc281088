"""Steady states of regimens: fixed points of one interval, found by Newton's method.

The engine carries all patients, and for each of them one neighbor a state, over the interval; the
differences are the Jacobian of what the interval does. For a linear model the first correction is
already exact up to rounding; a nonlinear one takes a few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from carsim.engine.integrate import integrate
from carsim.engine.plan import Courses, Stops
from carsim.engine.program import Program
from carsim.kernels.compile import compile_model
from carsim.model import Model
from carsim.therapy.steady import Period, Solve
from carsim.therapy.values import FloatArray

RTOL = 1e-10
CLOSE = 1e-8
"""Relative change over an interval at which a state is steady."""
MOST_CORRECTIONS = 20
NUDGE = 1e-3
"""Relative size of the differences; an interval of a linear model does not mind any size."""


def solver(model: Model, y0: FloatArray, atol: FloatArray) -> Solve:
    """Make the function that finds steady states of a model's regimens.

    Parameters
    ----------
    model : Model
        Model that is treated.
    y0 : float64 array, shape (n_patients, n_states), model units
        Initial states; those that a regimen does not determine stay as they are.
    atol : float64 array, shape (n_states,)
        Absolute tolerances.

    Returns
    -------
    callable
        Of a `Period`. Patients without a steady state (more enters than leaves) get NaN.
    """

    def solve(period: Period) -> tuple[NDArray[np.int64], FloatArray]:
        program = compile_model(model)
        found = determined(model, program, period)
        return found, _fixed_point(program, model, period, found, y0, atol)

    return solve


def determined(model: Model, program: Program, period: Period) -> NDArray[np.int64]:
    """States that a regimen alone determines, in order.

    Those that it enters, those that feed them (a depot, empty in the steady state of a dose into
    plasma), and those that follow from these alone. A virus that the drug acts on, but that also
    follows the immune system, is not among them; nor is an area under a curve, which has no steady
    state and acts on nothing.

    Parameters
    ----------
    model : Model
        Model that is treated.
    program : Program
        The model, compiled.
    period : Period
        One interval of the regimen.
    """
    pairs = program.jacobian_positions
    reached = _closure(period.states, pairs)
    feeding = _closure(period.states, [(column, row) for row, column in pairs]) - reached
    if feeding and _stay_empty(model, sorted(feeding), period.parameters):
        reached |= feeding
    while True:
        foreign = {row for row, column in pairs if row in reached and column not in reached}
        acting = {column for _, column in pairs}
        idle = {state for state in reached if state not in acting}
        if not foreign and not idle:
            return np.array(sorted(reached), dtype=np.int64)
        reached -= foreign | idle


def _closure(states: Iterable[int], pairs: Iterable[tuple[int, int]]) -> set[int]:
    """States, and what follows from them by pairs of (what follows, from what)."""
    found = set(states)
    while True:
        further = {one for one, other in pairs if other in found} - found
        if not further:
            return found
        found |= further


def _stay_empty(model: Model, states: Sequence[int], p: FloatArray) -> bool:
    """Whether nothing enters some states by itself; nothing outside of them acts on them."""
    y = np.ones((len(model.states), len(p)))
    y[states] = 0.0
    derivatives = model.derivatives(0.0, list(y), list(p.T))
    return all(np.all(np.asarray(derivatives[state]) == 0.0) for state in states)


def _fixed_point(
    program: Program,
    model: Model,
    period: Period,
    found: NDArray[np.int64],
    y0: FloatArray,
    atol: FloatArray,
) -> FloatArray:
    n_patients, m = len(y0), len(found)
    x = np.zeros((n_patients, m))
    if m == 0:
        return x
    done = np.ones(n_patients, dtype=np.bool_)
    done[period.patients] = False
    floor = atol[found]
    signed = np.array([model.states[state].signed for state in found])
    for correction in range(MOST_CORRECTIONS):
        todo = np.flatnonzero(~done & np.isfinite(x).all(axis=1))
        if todo.size == 0:
            break
        nudges = NUDGE * np.maximum(
            np.abs(x[todo]), np.abs(x[todo]).max(axis=1, initial=0.0)[:, None]
        )
        nudges = np.where(nudges > 0.0, nudges, 1.0)
        starts = np.repeat(x[todo][:, None, :], m + 1, axis=1)
        for j in range(m):
            starts[:, j + 1, j] += nudges[:, j]
        ends = _over_one_interval(program, period, todo, found, starts, y0, atol)
        change = ends[:, 0] - x[todo]
        size = np.maximum(np.abs(x[todo]), np.abs(ends[:, 0]))
        # Nothing is left of a dose that is gone long before the next one, but for rounding.
        steady = (np.abs(change) <= CLOSE * size + floor).all(axis=1)
        if correction == 0:
            # However small the doses are: one correction is made.
            steady &= ~ends[:, 0].any(axis=1)
        slopes = (ends[:, 1:] - ends[:, :1]) / nudges[:, :, None]
        matrix = np.eye(m) - slopes.transpose(0, 2, 1)
        finite = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(change).all(axis=1)
        matrix[~finite], change[~finite] = np.eye(m), np.nan
        step = _solved(matrix, change)
        new = x[todo] + step
        new = np.where(signed | (new > 0.0) | np.isnan(new), new, 0.0)
        x[todo] = new
        done[todo] = steady
    x[~done] = np.nan
    return x


def _solved(matrix: FloatArray, change: FloatArray) -> FloatArray:
    """Newton's corrections of many patients, NaN where there is none.

    A state that nothing enters and nothing leaves, as behind a clearance of zero, stays what it is.
    """
    still = (matrix == 0.0).all(axis=2) & (change == 0.0)
    patient, state = np.nonzero(still)
    matrix[patient, state, state] = 1.0
    try:
        return np.linalg.solve(matrix, change[:, :, None])[:, :, 0].astype(np.float64)
    except np.linalg.LinAlgError:
        if len(matrix) == 1:
            # What enters a state that nothing leaves has no steady state.
            return np.full(change.shape, np.nan)
    return np.concatenate(
        [_solved(matrix[k : k + 1], change[k : k + 1]) for k in range(len(matrix))]
    )


def _of_owners(stops: Stops, owners: NDArray[np.int64]) -> Stops:
    """The rows of some owners, which may come several times."""
    lengths = np.diff(stops.offsets)[owners]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    moved = np.repeat(stops.offsets[owners] - offsets[:-1], lengths)
    rows = np.arange(offsets[-1]) + moved
    return Stops(
        offsets,
        *(
            getattr(stops, name)[rows]
            for name in ("time", "kind", "index", "value", "item", "counted")
        ),
    )


def _over_one_interval(
    program: Program,
    period: Period,
    todo: NDArray[np.int64],
    found: NDArray[np.int64],
    starts: FloatArray,
    y0: FloatArray,
    atol: FloatArray,
) -> FloatArray:
    """What an interval makes of many starts, shape (n_todo, n_starts, m)."""
    n_starts = starts.shape[1]
    rows = np.repeat(todo, n_starts)
    y = y0[rows].copy()
    y[:, found] = starts.reshape(-1, len(found))
    stops = period.stops
    if stops.n_owners > 1:
        stops = _of_owners(stops, rows)
    level = period.courses.level
    courses = Courses(
        period.courses.kind,
        period.courses.target,
        period.courses.item,
        level[rows] if len(level) > 1 else level,
    )
    # States that the regimen does not determine may do what they like: they are put aside by a
    # tolerance that never binds.
    loose = np.full(len(atol), np.inf)
    loose[found] = atol[found]
    result = integrate(
        program,
        y,
        period.parameters[rows],
        0.0,
        period.length[rows],
        rtol=RTOL,
        atol=loose,
        stops=stops,
        courses=courses,
        n_items=1,
    )
    ends = result.final_state[:, found]
    ends[result.status != 0] = np.nan
    return ends.reshape(len(todo), n_starts, len(found))
