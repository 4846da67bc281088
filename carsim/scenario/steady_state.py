"""Steady states of regimens: fixed points of one interval, found by Newton's method.

The engine carries all patients, and for each of them one neighbor a state, over the interval; the
differences are the Jacobian of what the interval does. For a linear model the first correction is
already exact up to rounding; a nonlinear one takes a few.
"""

from __future__ import annotations

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
        found = determined(program, period.states)
        return found, _fixed_point(program, model, period, found, y0, atol)

    return solve


def determined(program: Program, entered: tuple[int, ...]) -> NDArray[np.int64]:
    """States that a regimen alone determines, in order.

    Those that what enters `entered` reaches, directly or through others, and that depend on nothing
    but each other. A virus that the drug acts on, but that also follows the immune system, is not
    among them.

    Parameters
    ----------
    program : Program
        Compiled model.
    entered : tuple of int
        States that the regimen gives into.
    """
    reached = set(entered)
    pairs = program.jacobian_positions
    while True:
        further = {row for row, column in pairs if column in reached} - reached
        if not further:
            break
        reached |= further
    while True:
        foreign = {row for row, column in pairs if row in reached and column not in reached}
        if not foreign:
            return np.array(sorted(reached), dtype=np.int64)
        reached -= foreign


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
    done = np.zeros(n_patients, dtype=np.bool_)
    floor = atol[found]
    signed = np.array([model.states[state].signed for state in found])
    for _ in range(MOST_CORRECTIONS):
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
        size = np.abs(x[todo]) + floor
        steady = (np.abs(change) <= CLOSE * np.maximum(size, np.abs(ends[:, 0]))).all(axis=1)
        steady &= x[todo].any(axis=1) | ~ends[:, 0].any(axis=1)
        slopes = (ends[:, 1:] - ends[:, :1]) / nudges[:, :, None]
        matrix = np.eye(m) - slopes.transpose(0, 2, 1)
        finite = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(change).all(axis=1)
        matrix[~finite], change[~finite] = np.eye(m), np.nan
        try:
            step = np.linalg.solve(matrix, change[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            # A state that nothing leaves (an integral) has no steady state.
            step = np.full(change.shape, np.nan)
        new = x[todo] + step
        new = np.where(signed | (new > 0.0) | np.isnan(new), new, 0.0)
        x[todo] = new
        done[todo] = steady
    x[~done] = np.nan
    return x


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
        stops = Stops.joined([stops.take(row, row + 1) for row in rows])
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
    loose[found] = np.minimum(atol[found], 1e-9)
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
