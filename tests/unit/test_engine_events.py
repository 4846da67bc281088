"""Rules that are watched all the time, and extinction, against closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, Save, Stops, Trajectories
from carsim.engine.program import Program
from carsim.engine.status import Status
from tests.engine_plans import Row, Watched, inputs, schedule, watch

Array = NDArray[np.float64]

DEPOT, CENTRAL, CLOCK, CONCENTRATION = range(4)
KA, CL, V, F, ONE, K = range(6)
VALUES = np.array([1.5, 1.1, 20.0, 0.8, 1.0, 0.3])
RISING, FALLING = 1, -1
NEVER = -np.inf


def run(
    body: Program, y0: Array, *rules: Watched, stop: float = 10.0, **options: Any
) -> Trajectories:
    y0 = np.atleast_2d(y0)
    n = len(y0)
    p = options.pop("p", np.tile(VALUES, (n, 1)))
    options = {
        "rtol": 1e-11,
        "atol": np.full(3, 1e-13),
        "threads": 1,
        "courses": inputs(3),
        "rules": watch(n, *rules, thresholds=options.pop("thresholds", None)),
        **options,
    }
    return integrate(body, y0, p, 0.0, stop, **options)


def stop_at(time: float, action: Action, index: int, value: float) -> Stops:
    return schedule([(time, action, index, value)])


# --- when ---


def test_a_decay_is_caught_at_the_threshold(body: Program) -> None:
    """Many thresholds: the time is that of the logarithm, and each fires once though it may 99."""
    n = 400
    generator = np.random.default_rng(1)
    thresholds = generator.uniform(5.0, 95.0, (n, 1))
    p = np.tile(VALUES, (n, 1))
    p[:, KA] = generator.uniform(0.5, 3.0, n)
    y0 = np.tile([100.0, 0.0, 0.0], (n, 1))
    rule: Watched = (DEPOT, 0.0, FALLING, 99, [(Action.RESTART, 0, 0.0)])
    result = run(body, y0, rule, p=p, thresholds=thresholds)
    np.testing.assert_array_equal(result.log_count, 1)
    expected = np.log(100.0 / thresholds[:, 0]) / p[:, KA]
    np.testing.assert_allclose(result.log_time[:, 0], expected, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(result.log_value[:, 0], thresholds[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(result.log_event[:, 0], 0)


def test_rules_of_one_threshold_fire_once_each(body: Program) -> None:
    """One acts at once, one later on, one not at all; all of them might fire 99 times.

    The step in which the first acts is taken anew, and may come to the threshold a little later.
    """
    n = 200
    generator = np.random.default_rng(3)
    thresholds = np.repeat(generator.uniform(5.0, 95.0, (n, 1)), 3, axis=1)
    rules = watch(n, *[(DEPOT, 0.0, FALLING, 99, [])] * 3, thresholds=thresholds)
    later: list[Row] = [(0.05, Action.ADD_STATE, CENTRAL, 1.0)]
    rules = replace(rules, actions=schedule([(0.0, Action.RESTART, 0, 0.0)], later, []))
    result = run(body, np.tile([100.0, 0.0, 0.0], (n, 1)), rtol=1e-9, rules=rules)
    np.testing.assert_array_equal(result.log_count, 3)
    np.testing.assert_array_equal(np.sort(result.log_event[:, :3], axis=1), [[0, 1, 2]] * n)
    expected = np.log(100.0 / thresholds) / VALUES[KA]
    np.testing.assert_allclose(result.log_time[:, :3], expected, rtol=0.0, atol=1e-8)


def test_a_rise_of_an_observable_is_caught(body: Program) -> None:
    n = 50
    thresholds = np.linspace(0.1, 4.9, n)[:, None]
    y0 = np.tile([0.0, 0.0, 0.0], (n, 1))
    p = np.tile(VALUES, (n, 1))
    p[:, K] = 0.0
    # With K = 0 the central amount is 100 (1 - exp(-ka t)) after a dose.
    y0[:, DEPOT] = 100.0
    rule: Watched = (CONCENTRATION, 0.0, RISING, 3, [(Action.SET_STATE, CLOCK, -1.0)])
    result = run(body, y0, rule, p=p, thresholds=thresholds)
    expected = -np.log1p(-thresholds[:, 0] * VALUES[V] / 100.0) / VALUES[KA]
    np.testing.assert_allclose(result.log_time[:, 0], expected, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(result.final_state[:, CLOCK], 9.0 - expected, atol=1e-10)


def test_direction_counts(body: Program) -> None:
    """The central amount rises through 20 and falls through it later."""
    y0 = np.array([100.0, 0.0, 0.0])
    up: Watched = (CENTRAL, 20.0, RISING, 5, [(Action.RESTART, 0, 0.0)])
    down: Watched = (CENTRAL, 20.0, FALLING, 5, [(Action.RESTART, 0, 0.0)])
    result = run(body, y0, up, down, stop=20.0)
    assert result.log_count[0] == 3
    # The amount is below 20 from the start: that condition holds and acts at once.
    np.testing.assert_array_equal(result.log_event[0, :3], [1, 0, 1])
    assert result.log_time[0, 0] == 0.0
    ka, k = VALUES[KA], VALUES[K]
    for t in result.log_time[0, 1:3]:
        amount = 100.0 * ka / (ka - k) * (np.exp(-k * t) - np.exp(-ka * t))
        assert amount == pytest.approx(20.0, abs=1e-8)


def test_a_condition_that_holds_at_the_start_fires_at_the_start(body: Program) -> None:
    result = run(
        body,
        np.array([0.0, 0.0, 5.0]),
        (CLOCK, 5.0, RISING, 1, [(Action.SET_STATE, DEPOT, 80.0)]),
        save=Save(np.array([0.0]), np.array([DEPOT])),
    )
    assert result.log_count[0] == 1
    assert result.log_time[0, 0] == 0.0
    assert result.saved[0, 0, 0] == 80.0


def test_a_jump_over_the_threshold_fires_at_the_jump(body: Program) -> None:
    result = run(
        body,
        np.zeros(3),
        (CENTRAL, 30.0, RISING, 1, [(Action.SET_STATE, CLOCK, 100.0)]),
        stops=stop_at(3.25, Action.ADD_STATE, CENTRAL, 50.0),
    )
    assert result.log_time[0, 0] == 3.25
    assert result.log_value[0, 0] == 50.0
    assert result.final_state[0, CLOCK] == pytest.approx(106.75, rel=1e-14)


def test_two_crossings_inside_one_step_act_in_their_order(body: Program) -> None:
    """The clock alone takes steps of several days; four rules fire inside the first."""
    rules: list[Watched] = [
        (CLOCK, t, RISING, 1, [(Action.ADD_STATE, DEPOT, t)]) for t in (4.0, 2.0, 3.0, 1.0)
    ]
    result = run(body, np.zeros(3), *rules, rtol=1e-3)
    np.testing.assert_array_equal(result.log_event[0, :4], [3, 1, 2, 0])
    np.testing.assert_allclose(result.log_time[0, :4], [1.0, 2.0, 3.0, 4.0], rtol=1e-13)


def test_rules_that_become_true_together_all_fire(body: Program) -> None:
    rules: list[Watched] = [(CLOCK, 2.5, RISING, 1, [(Action.ADD_STATE, CENTRAL, 1.0)])] * 3
    p = VALUES[None].copy()
    p[0, K] = 0.0
    result = run(body, np.zeros(3), *rules, p=p)
    np.testing.assert_array_equal(result.log_event[0, :3], [0, 1, 2])
    np.testing.assert_array_equal(result.log_time[0, :3], result.log_time[0, 0])
    assert result.final_state[0, CENTRAL] == pytest.approx(3.0, rel=1e-12)


def test_a_crossing_at_the_end_of_the_run_fires(body: Program) -> None:
    result = run(body, np.zeros(3), (CLOCK, 10.0, RISING, 1, [(Action.SET_STATE, DEPOT, 5.0)]))
    assert result.log_count[0] == 1
    assert result.log_time[0, 0] == pytest.approx(10.0, rel=1e-14)
    assert result.final_time[0] == 10.0


# --- how often ---


@pytest.mark.parametrize(("limit", "fired"), [(0, 0), (1, 1), (3, 3), (99, 9)])
def test_a_rule_is_armed_again_until_it_is_spent(body: Program, limit: int, fired: int) -> None:
    """The clock is set back whenever it reaches one; 9.5 days have room for nine."""
    result = run(
        body,
        np.zeros(3),
        (CLOCK, 1.0, RISING, limit, [(Action.SET_STATE, CLOCK, 0.0)]),
        stop=9.5,
    )
    assert result.log_count[0] == fired
    np.testing.assert_allclose(
        result.log_time[0, :fired], np.arange(1.0, fired + 1.0), rtol=0.0, atol=1e-12
    )
    assert result.final_state[0, CLOCK] == pytest.approx(9.5 - fired, abs=1e-12)


def test_dosing_by_rule_is_periodic(body: Program) -> None:
    """Topped up by 50 whenever it has halved to 50: every half-life."""
    result = run(
        body,
        np.array([100.0, 0.0, 0.0]),
        (DEPOT, 50.0, FALLING, 8, [(Action.ADD_STATE, DEPOT, 50.0)]),
    )
    half_life = np.log(2.0) / VALUES[KA]
    np.testing.assert_allclose(
        result.log_time[0, :8], half_life * np.arange(1, 9), rtol=0.0, atol=1e-9
    )


def test_the_log_counts_beyond_its_capacity(body: Program) -> None:
    result = run(
        body,
        np.zeros(3),
        (CLOCK, 1.0, RISING, 99, [(Action.SET_STATE, CLOCK, 0.0)]),
        stop=9.5,
        log_capacity=4,
    )
    assert result.log_count[0] == 9
    assert result.log_time.shape == (1, 4)
    np.testing.assert_allclose(result.log_time[0], [1.0, 2.0, 3.0, 4.0], rtol=1e-12)


def test_rules_that_trigger_each_other_end_with_event_limit(body: Program) -> None:
    up: Watched = (CLOCK, 1.0, RISING, 10**6, [(Action.SET_STATE, CLOCK, -1.0)])
    down: Watched = (CLOCK, -1.0, FALLING, 10**6, [(Action.SET_STATE, CLOCK, 1.0)])
    y0 = np.zeros((body.lanes + 1, 3))
    y0[1:, CLOCK] = -0.5
    result = run(body, y0, up, down, stop=1.4)
    assert result.status[0] == Status.EVENT_LIMIT
    assert result.final_time[0] == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_array_equal(result.status[1:], Status.SUCCESS)
    np.testing.assert_allclose(result.final_state[1:, CLOCK], 0.9, rtol=1e-12)


# --- what ---


def test_every_action_of_a_rule(body: Program) -> None:
    """At t = 2 the depot is filled, tripled, the input started, the elimination switched off."""
    actions = [
        (Action.SET_STATE, DEPOT, 10.0),
        (Action.SCALE_STATE, DEPOT, 3.0),
        (Action.ADD_STATE, CENTRAL, 5.0),
        (Action.SET_RUNNING, CENTRAL, 4.0),
        (Action.SET_PARAMETER, K, 0.0),
    ]
    result = run(body, np.zeros(3), (CLOCK, 2.0, RISING, 1, actions), stop=6.0)
    absorbed = 30.0 * -np.expm1(-VALUES[KA] * 4.0)
    assert result.final_state[0, CENTRAL] == pytest.approx(5.0 + 16.0 + absorbed, rel=1e-9)


def test_an_action_may_set_off_another_rule(body: Program) -> None:
    """Halving the volume doubles the concentration, which is then above the threshold."""
    halve: Watched = (CLOCK, 2.0, RISING, 1, [(Action.SET_PARAMETER, V, 10.0)])
    alarm: Watched = (CONCENTRATION, 6.0, RISING, 1, [(Action.SET_STATE, DEPOT, 1e3)])
    p = VALUES[None].copy()
    p[0, K] = 0.0
    result = run(body, np.array([0.0, 100.0, 0.0]), halve, alarm, p=p)
    np.testing.assert_array_equal(result.log_event[0, :2], [0, 1])
    assert result.log_time[0, 1] == result.log_time[0, 0]
    assert result.log_value[0, 1] == pytest.approx(10.0, rel=1e-12)


# --- extinction ---


def floors(depot: float = NEVER, central: float = NEVER, clock: float = NEVER) -> Array:
    return np.array([depot, central, clock])


def test_a_pool_below_its_floor_is_zero_from_then_on(body: Program) -> None:
    n = 300
    generator = np.random.default_rng(2)
    y0 = np.zeros((n, 3))
    y0[:, DEPOT] = generator.uniform(10.0, 1e4, n)
    p = np.tile(VALUES, (n, 1))
    p[:, KA] = generator.uniform(1.0, 3.0, n)
    times = np.linspace(0.0, 20.0, 201)
    result = run(
        body, y0, p=p, stop=20.0, floors=floors(depot=0.7),
        save=Save(times, np.array([DEPOT])), rtol=1e-9,
    )  # fmt: skip
    np.testing.assert_array_equal(result.log_count, 1)
    np.testing.assert_array_equal(result.log_event[:, 0], -1 - DEPOT)
    died = np.log(y0[:, DEPOT] / 0.7) / p[:, KA]
    np.testing.assert_allclose(result.log_time[:, 0], died, rtol=0.0, atol=1e-7)
    np.testing.assert_allclose(result.log_value[:, 0], 0.7, rtol=1e-12)
    later = times > died[:, None] + 1e-6
    assert np.all(result.saved[0][later] == 0.0)
    assert np.all(result.saved[0][times < died[:, None] - 1e-6] >= 0.7 * (1 - 1e-9))
    assert np.all(result.final_state[:, DEPOT] == 0.0)
    # Locating the floor costs one shortened step.
    assert result.n_rejected.max() <= 5


def test_what_flows_on_from_an_extinct_pool_is_kept(body: Program) -> None:
    """Depot and central: the last 0.7 of the depot vanishes, the rest has been absorbed."""
    p = VALUES[None].copy()
    p[0, K] = 0.0
    result = run(body, np.array([100.0, 0.0, 0.0]), p=p, floors=floors(depot=0.7))
    assert result.final_state[0, CENTRAL] == pytest.approx(99.3, rel=1e-9)


def test_pools_that_grow_from_below_the_floor_are_left_alone(body: Program) -> None:
    result = run(body, np.zeros(3), floors=floors(clock=5.0))
    assert result.log_count[0] == 0
    assert result.final_state[0, CLOCK] == pytest.approx(10.0, rel=1e-12)


def test_a_pool_may_die_come_back_and_die_again(body: Program) -> None:
    result = run(
        body,
        np.array([10.0, 0.0, 0.0]),
        floors=floors(depot=1.0),
        stops=stop_at(5.0, Action.ADD_STATE, DEPOT, 20.0),
    )
    np.testing.assert_allclose(
        result.log_time[0, :2],
        [np.log(10.0) / VALUES[KA], 5.0 + np.log(20.0) / VALUES[KA]],
        rtol=1e-9,
    )
    assert result.log_count[0] == 2


def test_a_dose_that_takes_a_pool_below_its_floor_does_not_kill_it(body: Program) -> None:
    """Only a fall of the course itself counts; what a stop sets is what the user wants."""
    result = run(
        body,
        np.array([10.0, 0.0, 0.0]),
        floors=floors(depot=1.0),
        stops=stop_at(0.5, Action.SET_STATE, DEPOT, 0.5),
        stop=1.0,
    )
    assert result.log_count[0] == 0
    assert result.final_state[0, DEPOT] == pytest.approx(0.5 * np.exp(-0.75), rel=1e-9)


def test_two_pools_die_in_their_order(body: Program) -> None:
    p = VALUES[None].copy()
    p[0, ONE] = -1.0
    result = run(
        body, np.array([10.0, 0.0, 3.0]), p=p, floors=floors(depot=1.0, clock=1.0), rtol=1e-4
    )
    np.testing.assert_array_equal(result.log_event[0, :2], [-1 - DEPOT, -1 - CLOCK])
    np.testing.assert_allclose(result.log_time[0, 1], 2.0, rtol=1e-12)


def test_extinction_sets_off_a_rule(body: Program) -> None:
    """The rule waits for the depot at 0.2; the floor at 0.7 takes it there in one jump."""
    result = run(
        body,
        np.array([100.0, 0.0, 0.0]),
        (DEPOT, 0.2, FALLING, 1, [(Action.SET_STATE, CENTRAL, 1e3)]),
        floors=floors(depot=0.7),
    )
    np.testing.assert_array_equal(result.log_event[0, :2], [-1 - DEPOT, 0])
    assert result.log_time[0, 0] == result.log_time[0, 1]
    assert result.log_value[0, 1] == 0.0


def test_a_rule_above_the_floor_fires_before_the_extinction(body: Program) -> None:
    result = run(
        body,
        np.array([100.0, 0.0, 0.0]),
        (DEPOT, 1.0, FALLING, 1, [(Action.SET_STATE, DEPOT, 50.0)]),
        floors=floors(depot=0.9),
        rtol=1e-4,
    )
    np.testing.assert_array_equal(result.log_event[0, :2], [0, -1 - DEPOT])
    assert result.log_count[0] == 2
