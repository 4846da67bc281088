"""Scheduled changes against closed forms: doses, infusions, parameter windows, half-open edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, CourseKind, Reduction, Reductions, Save, Trajectories
from carsim.engine.program import Program
from carsim.engine.tableaus import METHODS
from tests.engine_plans import Row, courses, inputs, schedule

Array = NDArray[np.float64]

DEPOT, CENTRAL, CLOCK, CONCENTRATION = range(4)
KA, CL, V, F, ONE, K = range(6)
VALUES = np.array([1.5, 1.1, 20.0, 0.8, 1.0, 0.3])

INPUTS = inputs(3)


def run(
    body: Program,
    rows: list[Row],
    times: Array,
    *,
    y0: tuple[float, float, float] = (0.0, 0.0, 0.0),
    start: float = 0.0,
    stop: float = 10.0,
    **options: Any,
) -> Trajectories:
    options = {
        "rtol": 1e-10,
        "atol": np.full(3, 1e-12),
        "threads": 1,
        "courses": INPUTS,
        **options,
    }
    options.setdefault("stops", schedule(rows))
    return integrate(
        body,
        np.array([y0]),
        VALUES[None],
        start,
        stop,
        save=Save(times, np.arange(4)),
        **options,
    )


def bateman(t: Array, dose: float = 100.0) -> Array:
    """Central amount after one oral dose at time 0, zero before."""
    ka, k = VALUES[KA], VALUES[K]
    since = np.maximum(t, 0.0)
    return np.asarray(dose * ka / (ka - k) * (np.exp(-k * since) - np.exp(-ka * since)))


GRID = np.linspace(0.0, 10.0, 101)


@pytest.mark.parametrize("method", METHODS)
def test_oral_doses_superpose(body: Program, method: str) -> None:
    at = (0.0, 2.5, 4.0)
    rows = [(t, Action.ADD_STATE, DEPOT, 100.0) for t in at]
    result = run(body, rows, GRID, method=method)
    expected = sum(bateman(GRID - t) for t in at)
    np.testing.assert_allclose(result.saved[CENTRAL, 0], expected, atol=2e-7)
    np.testing.assert_allclose(
        result.saved[CONCENTRATION, 0], result.saved[CENTRAL, 0] / VALUES[V], rtol=1e-15
    )


@pytest.mark.parametrize("method", METHODS)
def test_infusion_between_two_times(body: Program, method: str) -> None:
    rate, first, last, k = 7.0, 1.3, 4.7, VALUES[K]
    rows = [(first, Action.SET_RUNNING, CENTRAL, rate), (last, Action.SET_RUNNING, CENTRAL, 0.0)]
    result = run(body, rows, GRID, method=method)
    during = np.clip(GRID - first, 0.0, last - first)
    after = np.maximum(GRID - last, 0.0)
    expected = rate / k * -np.expm1(-k * during) * np.exp(-k * after)
    np.testing.assert_allclose(result.saved[CENTRAL, 0], expected, atol=1e-8)
    assert np.all(result.saved[CENTRAL, 0, first > GRID] == 0.0)


def test_infusion_into_one_patient_only(body: Program) -> None:
    stops = schedule([], [(0.0, Action.SET_RUNNING, CENTRAL, 3.0)], [])
    result = integrate(
        body, np.zeros((3, 3)), np.tile(VALUES, (3, 1)), 0.0, 50.0,
        rtol=1e-9, atol=np.full(3, 1e-12), stops=stops, courses=INPUTS, threads=1,
    )  # fmt: skip
    np.testing.assert_allclose(result.final_state[:, CENTRAL], [0.0, 10.0, 0.0], rtol=1e-6)


def test_stops_of_one_owner_are_those_of_every_patient(body: Program) -> None:
    """One table for all, with levels by patient, and the same tables patient by patient."""
    n = body.lanes + 3
    rows: list[Row] = [
        (0.5, Action.ADD_STATE, DEPOT, 20.0),
        (1.0, Action.SET_RUNNING, 0, 1.0),
        (4.0, Action.SET_RUNNING, 0, 0.0),
    ]
    rates = np.linspace(0.0, 5.0, n)
    options: dict[str, Any] = {
        "rtol": 1e-9,
        "atol": np.full(3, 1e-12),
        "threads": 1,
        "courses": courses((CourseKind.INPUT, CENTRAL, rates.tolist())),
    }
    y0, p = np.zeros((n, 3)), np.tile(VALUES, (n, 1))
    together = integrate(body, y0, p, 0.0, 10.0, stops=schedule(rows), **options)
    each = integrate(body, y0, p, 0.0, 10.0, stops=schedule(*[rows] * n), **options)
    np.testing.assert_array_equal(together.final_state, each.final_state)
    np.testing.assert_array_equal(together.n_steps, each.n_steps)
    k = VALUES[K]
    infused = rates / k * -np.expm1(-k * 3.0) * np.exp(-k * 6.0)
    expected = infused + bateman(np.array(9.5), 20.0)
    np.testing.assert_allclose(together.final_state[:, CENTRAL], expected, rtol=1e-7)


def test_inputs_of_several_courses_add_up_and_end_at_exactly_zero(body: Program) -> None:
    plan = courses((CourseKind.INPUT, CLOCK, 0.1), (CourseKind.INPUT, CLOCK, 0.2))
    rows: list[Row] = [
        (1.0, Action.ADD_RUNNING, 0, 1.0),
        (2.0, Action.ADD_RUNNING, 1, 2.0),
        (3.0, Action.ADD_RUNNING, 0, -1.0),
        (5.0, Action.ADD_RUNNING, 1, -2.0),
    ]
    p = VALUES[None].copy()
    p[0, ONE] = 0.0
    result = integrate(
        body, np.zeros((1, 3)), p, 0.0, 9.0, rtol=1e-9, atol=np.full(3, 1e-12), threads=1,
        stops=schedule(rows), courses=plan, save=Save(np.array([1.0, 3.0, 5.0, 9.0]),
        np.array([CLOCK])),
    )  # fmt: skip
    saved = result.saved[0, 0]
    np.testing.assert_allclose(saved[:3], [0.0, 0.6, 1.4], rtol=1e-12)
    assert saved[3] == saved[2]


def test_items_that_are_counted(body: Program) -> None:
    rows: list[Row] = [
        (1.0, Action.ADD_STATE, DEPOT, 1.0),
        (2.0, Action.SET_RUNNING, CENTRAL, 1.0),
        (3.0, Action.SET_RUNNING, CENTRAL, 0.0),
        (12.0, Action.ADD_STATE, DEPOT, 1.0),
    ]
    plain = schedule(rows, rows[:1])
    stops = replace(plain, item=np.array([0, 1, 1, 0, 0]), counted=np.array([1, 3, 0, 1, 1]))
    result = integrate(
        body, np.zeros((2, 3)), np.tile(VALUES, (2, 1)), 0.0, 10.0, n_items=2,
        rtol=1e-6, atol=np.full(3, 1e-9), stops=stops, courses=INPUTS, threads=1,
    )  # fmt: skip
    np.testing.assert_array_equal(result.doses, [[1, 3], [1, 0]])


@pytest.mark.parametrize("when", [0.0, 1.5, 4.0])
def test_discontinued_item_is_given_no_longer(body: Program, when: float) -> None:
    """Its infusion ends, its doses are not given nor counted; those of the other item go on."""
    rows: list[Row] = [
        (0.5, Action.ADD_STATE, CLOCK, 100.0),
        (1.0, Action.SET_RUNNING, CLOCK, 1.0),
        (2.0, Action.SET_RUNNING, CLOCK, 0.0),
        (3.0, Action.ADD_STATE, CLOCK, 100.0),
        (4.5, Action.ADD_STATE, CLOCK, 1000.0),
    ]
    items = [0, 0, 0, 0, 1]
    place = int(np.searchsorted([row[0] for row in rows], when))
    rows.insert(place, (when, Action.DISCONTINUE, 0, 0.0))
    items.insert(place, -1)
    counted = np.array([1 if row[1] == Action.ADD_STATE else 0 for row in rows])
    stops = replace(schedule(rows), item=np.array(items), counted=counted)
    plan = replace(INPUTS, item=np.zeros(3, dtype=np.int64))
    result = run(body, [], np.array([10.0]), stops=stops, courses=plan, n_items=2)
    given = (when > 0.5) + (when > 3.0)
    infused = min(max(when - 1.0, 0.0), 1.0)
    assert result.saved[CLOCK, 0, 0] == pytest.approx(1010.0 + 100.0 * given + infused, rel=1e-12)
    np.testing.assert_array_equal(result.doses, [[given, 1]])


def test_parameter_window(body: Program) -> None:
    """The rate constant is 2 on [2, 5) and 0.3 elsewhere."""
    rows = [(2.0, Action.SET_PARAMETER, K, 2.0), (5.0, Action.SET_PARAMETER, K, VALUES[K])]
    as_course = [(2.0, Action.SET_RUNNING, 0, 1.0), (5.0, Action.SET_RUNNING, 0, 0.0)]
    result = run(body, rows, GRID, y0=(0.0, 100.0, 0.0))
    for kind, level in ((CourseKind.VALUE, 2.0), (CourseKind.FACTOR, 2.0 / VALUES[K])):
        plan = courses((kind, K, level))
        same = run(body, as_course, GRID, y0=(0.0, 100.0, 0.0), courses=plan)
        np.testing.assert_allclose(same.saved, result.saved, rtol=1e-13)
        if kind == CourseKind.VALUE:
            np.testing.assert_array_equal(same.saved, result.saved)
    inside = np.clip(GRID - 2.0, 0.0, 3.0)
    expected = 100.0 * np.exp(-VALUES[K] * (GRID - inside) - 2.0 * inside)
    np.testing.assert_allclose(result.saved[CENTRAL, 0], expected, rtol=1e-8)


def test_values_factors_and_the_parameter_itself(body: Program) -> None:
    """The last value that runs, else the parameter as it was set, times all factors."""
    plan = courses(
        (CourseKind.FACTOR, ONE, 3.0),
        (CourseKind.VALUE, ONE, 5.0),
        (CourseKind.VALUE, ONE, 7.0),
        (CourseKind.FACTOR, ONE, 0.5),
    )
    rows: list[Row] = [
        (1.0, Action.SET_RUNNING, 0, 1.0),  # 3
        (2.0, Action.SET_RUNNING, 1, 1.0),  # 15
        (3.0, Action.SET_RUNNING, 2, 1.0),  # 21
        (4.0, Action.SET_PARAMETER, ONE, 2.0),  # 21
        (5.0, Action.SET_RUNNING, 3, 1.0),  # 10.5
        (6.0, Action.SET_RUNNING, 2, 0.0),  # 7.5
        (7.0, Action.SET_RUNNING, 1, 0.0),  # 3
        (8.0, Action.SET_RUNNING, 0, 0.0),  # 1
        (9.0, Action.SET_RUNNING, 3, 0.0),  # 2
    ]
    clock = run(body, rows, np.arange(11.0), courses=plan).saved[CLOCK, 0]
    expected = [1.0, 3.0, 15.0, 21.0, 21.0, 10.5, 7.5, 3.0, 1.0, 2.0]
    np.testing.assert_allclose(np.diff(clock), expected, rtol=1e-12)


def test_a_parameter_of_the_first_patient_does_not_stay_in_its_lane(body: Program) -> None:
    n = 3 * body.lanes
    rows: list[list[Row]] = [[(0.5, Action.SET_PARAMETER, K, 9.0)]]
    stops = schedule(*(rows + [[] for _ in range(n - 1)]))
    y0 = np.tile([0.0, 100.0, 0.0], (n, 1))
    result = integrate(
        body, y0, np.tile(VALUES, (n, 1)), 0.0, 1.0,
        rtol=1e-9, atol=np.full(3, 1e-12), stops=stops, threads=1,
    )  # fmt: skip
    np.testing.assert_allclose(result.final_state[1:, CENTRAL], 100.0 * np.exp(-0.3), rtol=1e-8)


def test_derived_parameters_follow_a_switch(body: Program) -> None:
    """The observable divides by V; its reciprocal is stored once a patient and must be renewed."""
    rows = [(2.0, Action.SET_PARAMETER, V, 40.0)]
    times = np.array([1.0, 3.0])
    result = run(body, rows, times, y0=(0.0, 100.0, 0.0))
    np.testing.assert_allclose(
        result.saved[CONCENTRATION, 0], result.saved[CENTRAL, 0] / [20.0, 40.0], rtol=1e-15
    )


def test_actions_of_one_time_act_in_their_order(body: Program) -> None:
    add, double = (3.0, Action.ADD_STATE, CLOCK, 7.0), (3.0, Action.SCALE_STATE, CLOCK, 2.0)
    times = np.array([3.0])
    assert run(body, [add, double], times).saved[CLOCK, 0, 0] == pytest.approx(20.0, rel=1e-12)
    assert run(body, [double, add], times).saved[CLOCK, 0, 0] == pytest.approx(13.0, rel=1e-12)
    fixed = (3.0, Action.SET_STATE, CLOCK, -1.0)
    assert run(body, [add, double, fixed], times).saved[CLOCK, 0, 0] == -1.0


def test_a_saved_time_at_a_stop_shows_the_state_after_it(body: Program) -> None:
    """Values are right-continuous at the start, inside and at the end of the run."""
    rows = [(t, Action.SET_STATE, CLOCK, -5.0) for t in (0.0, 3.0, 10.0)]
    times = np.array([0.0, 3.0 - 1e-11, 3.0, 10.0])
    saved = run(body, rows, times, y0=(0.0, 0.0, 2.0)).saved[CLOCK, 0]
    np.testing.assert_allclose(saved, [-5.0, -2.0, -5.0, -5.0], rtol=1e-11)


def test_value_at_a_stop_is_the_value_after_it(body: Program) -> None:
    rows = [(t, Action.SET_STATE, CLOCK, -5.0) for t in (0.0, 3.0, 10.0)]
    at = np.array([0.0, 3.0, 10.0])
    reductions = Reductions(
        np.full(3, int(Reduction.VALUE_AT)),
        np.full(3, CLOCK),
        at,
        at,
        np.zeros(3),
    )
    result = run(body, rows, at, y0=(0.0, 0.0, 2.0), reductions=reductions)
    np.testing.assert_array_equal(result.metrics[:, 0], -5.0)
    np.testing.assert_array_equal(result.saved[CLOCK, 0], -5.0)


def test_stops_are_landed_on_exactly(body: Program) -> None:
    """A narrow window that no error control would notice, far from the start."""
    rows = [
        (7.0, Action.SET_RUNNING, CLOCK, 1e6),
        (7.0 + 2.0**-20, Action.SET_RUNNING, CLOCK, 0.0),
    ]
    result = run(body, rows, np.array([10.0]))
    assert result.saved[CLOCK, 0, 0] == pytest.approx(10.0 + 1e6 * 2.0**-20, rel=1e-12)
    assert result.final_time[0] == 10.0


def test_start_and_stop_by_patient(body: Program) -> None:
    n = 2 * body.lanes + 3
    start = np.linspace(-3.0, 4.0, n)
    stop = start + np.linspace(0.0, 5.0, n)
    times = np.linspace(-5.0, 12.0, 35)
    result = integrate(
        body, np.zeros((n, 3)), np.tile(VALUES, (n, 1)), start, stop,
        rtol=1e-9, atol=np.full(3, 1e-12), save=Save(times, np.array([CLOCK])), threads=1,
    )  # fmt: skip
    np.testing.assert_array_equal(result.final_time, stop)
    np.testing.assert_allclose(result.final_state[:, CLOCK], stop - start, atol=1e-13)
    lived = (times >= start[:, None]) & (times <= stop[:, None])
    np.testing.assert_array_equal(np.isfinite(result.saved[0]), lived)
    expected = np.where(lived, times - start[:, None], np.nan)
    np.testing.assert_allclose(result.saved[0], expected, atol=1e-13)


def test_caller_s_arrays_stay_as_they_are(body: Program) -> None:
    y0, p = np.array([[1.0, 2.0, 3.0]]), VALUES[None].copy()
    stops = schedule([(1.0, Action.SET_PARAMETER, K, 9.0), (2.0, Action.SET_STATE, DEPOT, 9.0)])
    for array in (y0, p, stops.time, stops.value):
        array.setflags(write=False)
    result = integrate(
        body, y0, p, 0.0, 3.0, rtol=1e-6, atol=np.full(3, 1e-9), stops=stops, threads=1
    )
    assert result.status[0] == 0
    np.testing.assert_array_equal(y0, [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(p, VALUES[None])


def test_no_patients(body: Program) -> None:
    result = integrate(
        body, np.empty((0, 3)), np.empty((0, 6)), 0.0, 1.0, rtol=1e-6, atol=np.full(3, 1e-9)
    )
    assert result.final_state.shape == (0, 3)
    assert result.lane_steps == 0
