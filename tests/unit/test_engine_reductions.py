"""Numbers kept of a course against closed forms of a one-compartment model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, Reduction, Reductions, Save, Trajectories
from carsim.engine.program import Program
from carsim.engine.status import Status
from tests.engine_plans import schedule

Array = NDArray[np.float64]
Wanted = tuple[Reduction, int, float, float, float]

DEPOT, CENTRAL, CLOCK, CONCENTRATION = range(4)
KA, CL, V, F, ONE, K = range(6)
VALUES = np.array([1.5, 1.1, 20.0, 0.8, 1.0, 0.3])
FOREVER = (-np.inf, np.inf)


def wish(*wanted: Wanted) -> Reductions:
    kind, source, start, stop, threshold = (
        np.array(column) for column in zip(*wanted, strict=True)
    )
    return Reductions(kind.astype(np.int64), source, start, stop, threshold)


def cohort(n: int) -> Array:
    generator = np.random.default_rng(5)
    p = np.tile(VALUES, (n, 1))
    p[:, KA] = generator.uniform(1.0, 3.0, n)
    p[:, K] = generator.uniform(0.1, 0.6, n)
    return p


def run(
    body: Program, *wanted: Wanted, p: Array | None = None, stop: float = 30.0, **options: Any
) -> Trajectories:
    """One oral dose of 100 at time 0."""
    p = VALUES[None] if p is None else p
    options = {"rtol": 1e-10, "atol": np.full(3, 1e-13), "threads": 1, **options}
    y0 = options.pop("y0", np.tile([100.0, 0.0, 0.0], (len(p), 1)))
    return integrate(body, y0, p, 0.0, stop, reductions=wish(*wanted), **options)


def central(t: Array | float, p: Array) -> Array:
    """Bateman function."""
    ka, k = p[..., KA], p[..., K]
    return np.asarray(100.0 * ka / (ka - k) * (np.exp(-k * t) - np.exp(-ka * t)))


def area(t: Array | float, p: Array) -> Array:
    """Integral of the Bateman function from 0 to t."""
    ka, k = p[..., KA], p[..., K]
    return np.asarray(100.0 * ka / (ka - k) * (-np.expm1(-k * t) / k + np.expm1(-ka * t) / ka))


def crossings(level: float, p: Array) -> Array:
    """Times at which the Bateman function is at a level, by Newton's method from both sides."""
    ka, k = p[:, KA], p[:, K]
    times = []
    for t in (np.full(len(p), 1e-3), np.log(100.0 * ka / (ka - k) / level) / k):
        for _ in range(60):
            slope = 100.0 * ka / (ka - k) * (ka * np.exp(-ka * t) - k * np.exp(-k * t))
            t = t - (central(t, p) - level) / slope
        times.append(t)
    return np.array(times)


def test_peak_and_its_time(body: Program) -> None:
    p = cohort(200)
    result = run(
        body,
        (Reduction.MAXIMUM, CENTRAL, *FOREVER, 0.0),
        (Reduction.TIME_OF_MAXIMUM, CENTRAL, *FOREVER, 0.0),
        (Reduction.MAXIMUM, CONCENTRATION, *FOREVER, 0.0),
        p=p,
    )
    ka, k = p[:, KA], p[:, K]
    peak = np.log(ka / k) / (ka - k)
    np.testing.assert_allclose(result.metrics[0], central(peak, p), rtol=1e-9)
    np.testing.assert_allclose(result.metrics[1], peak, rtol=0.0, atol=1e-4)
    np.testing.assert_allclose(result.metrics[2], central(peak, p) / VALUES[V], rtol=1e-9)


def test_trough_and_its_time(body: Program) -> None:
    """Minus the clock, so to say: the concentration is lowest where the amount falls and rises."""
    p = VALUES[None]
    second = schedule([(8.0, Action.ADD_STATE, DEPOT, 100.0)])
    result = run(
        body,
        (Reduction.MINIMUM, CENTRAL, 2.0, 20.0, 0.0),
        (Reduction.TIME_OF_MINIMUM, CENTRAL, 2.0, 20.0, 0.0),
        (Reduction.MINIMUM, CENTRAL, 2.0, 12.0, 0.0),
        (Reduction.TIME_OF_MINIMUM, CENTRAL, 2.0, 12.0, 0.0),
        p=p,
        stops=second,
    )
    late = central(20.0, p[0]) + central(12.0, p[0])
    assert result.metrics[0, 0] == pytest.approx(float(late), rel=1e-8)
    assert result.metrics[1, 0] == pytest.approx(20.0, rel=1e-12)
    assert result.metrics[2, 0] == pytest.approx(float(central(8.0, p[0])), rel=1e-8)
    assert result.metrics[3, 0] == pytest.approx(8.0, rel=1e-12)


def test_areas_over_windows_that_cut_steps(body: Program) -> None:
    p = cohort(100)
    windows = [(0.0, 30.0), (0.123, 4.567), (5.0, 5.0625), (7.7, 29.9), (20.0, 99.0)]
    result = run(body, *((Reduction.AREA, CENTRAL, a, b, 0.0) for a, b in windows), p=p)
    for values, (a, b) in zip(result.metrics, windows, strict=True):
        expected = area(min(b, 30.0), p) - area(a, p)
        np.testing.assert_allclose(values, expected, rtol=0.0, atol=1e-8 * area(30.0, p).max())


def test_area_of_a_straight_line_is_exact(body: Program) -> None:
    result = run(body, (Reduction.AREA, CLOCK, 1.7, 12.3, 0.0), rtol=1e-3)
    assert result.metrics[0, 0] == pytest.approx((12.3**2 - 1.7**2) / 2.0, rel=1e-13)


def test_area_is_dose_over_clearance(body: Program) -> None:
    """The textbook relation, for five doses and an endless wait."""
    stops = schedule([(float(day), Action.ADD_STATE, CENTRAL, 40.0) for day in range(5)])
    result = run(
        body,
        (Reduction.AREA, CONCENTRATION, *FOREVER, 0.0),
        y0=np.zeros((1, 3)),
        stops=stops,
        stop=150.0,
    )
    assert result.metrics[0, 0] == pytest.approx(5 * 40.0 / (VALUES[K] * VALUES[V]), rel=1e-8)


def test_first_crossings_and_time_above(body: Program) -> None:
    p = cohort(200)
    level = 20.0
    result = run(
        body,
        (Reduction.FIRST_ABOVE, CENTRAL, *FOREVER, level),
        (Reduction.FIRST_BELOW, CENTRAL, 1.0, np.inf, level),
        (Reduction.TIME_ABOVE, CENTRAL, *FOREVER, level),
        p=p,
        stop=60.0,
    )
    up, down = crossings(level, p)
    np.testing.assert_allclose(result.metrics[0], up, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(result.metrics[1], down, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(result.metrics[2], down - up, rtol=0.0, atol=1e-8)


def test_crossings_inside_windows(body: Program) -> None:
    level = 20.0
    ((up,), (down,)) = crossings(level, VALUES[None])
    middle = 0.5 * (up + down)
    result = run(
        body,
        (Reduction.FIRST_ABOVE, CENTRAL, middle, np.inf, level),
        (Reduction.FIRST_BELOW, CENTRAL, 0.0, np.inf, level),
        (Reduction.TIME_ABOVE, CENTRAL, middle, np.inf, level),
        (Reduction.TIME_ABOVE, CENTRAL, 0.0, middle, level),
        (Reduction.TIME_ABOVE, CENTRAL, up + 0.25, up + 0.75, level),
        (Reduction.FIRST_ABOVE, CENTRAL, down + 1.0, np.inf, level),
        (Reduction.FIRST_ABOVE, CENTRAL, *FOREVER, 1e9),
        (Reduction.FIRST_BELOW, CENTRAL, *FOREVER, -1.0),
        (Reduction.TIME_ABOVE, CENTRAL, *FOREVER, 1e9),
    )
    expected = [middle, 0.0, down - middle, middle - up, 0.5, np.nan, np.nan, np.nan, 0.0]
    np.testing.assert_allclose(result.metrics[:, 0], expected, rtol=0.0, atol=1e-9)


def test_single_values(body: Program) -> None:
    p = cohort(100)
    result = run(
        body,
        (Reduction.VALUE_AT, CENTRAL, 3.3, 3.3, 0.0),
        (Reduction.VALUE_AT, CONCENTRATION, 7.0, 7.0, 0.0),
        (Reduction.VALUE_AT, DEPOT, 0.0, 0.0, 0.0),
        (Reduction.VALUE_AT, CENTRAL, 30.0, 30.0, 0.0),
        (Reduction.VALUE_AT, CENTRAL, 31.0, 31.0, 0.0),
        (Reduction.VALUE_AT, CENTRAL, -1.0, -1.0, 0.0),
        (Reduction.LAST, CENTRAL, *FOREVER, 0.0),
        (Reduction.LAST, CENTRAL, 0.0, 4.4, 0.0),
        p=p,
    )
    np.testing.assert_allclose(result.metrics[0], central(3.3, p), rtol=1e-8)
    np.testing.assert_allclose(result.metrics[1], central(7.0, p) / VALUES[V], rtol=1e-8)
    np.testing.assert_array_equal(result.metrics[2], 100.0)
    np.testing.assert_array_equal(result.metrics[3], result.final_state[:, CENTRAL])
    assert np.all(np.isnan(result.metrics[4:6]))
    np.testing.assert_array_equal(result.metrics[6], result.final_state[:, CENTRAL])
    np.testing.assert_allclose(result.metrics[7], central(4.4, p), rtol=1e-8)


def test_values_equal_those_of_a_fine_grid(body: Program) -> None:
    """At a loose tolerance, where steps are long: reductions and saved times read one course."""
    p = cohort(40)
    grid = np.linspace(0.0, 30.0, 30_001)
    result = run(
        body,
        (Reduction.MAXIMUM, CENTRAL, 0.5, 20.0, 0.0),
        (Reduction.AREA, CENTRAL, 0.5, 20.0, 0.0),
        (Reduction.VALUE_AT, CENTRAL, 12.0, 12.0, 0.0),
        p=p,
        save=Save(grid, np.array([CENTRAL])),
        rtol=1e-4,
        atol=np.full(3, 1e-6),
    )
    course = result.saved[0]
    inside = (grid >= 0.5) & (grid <= 20.0)
    assert np.all(result.metrics[0] >= course[:, inside].max(axis=1) * (1 - 1e-12))
    np.testing.assert_allclose(result.metrics[0], course[:, inside].max(axis=1), rtol=1e-6)
    trapezoid = np.trapezoid(course[:, inside], grid[inside], axis=1)
    np.testing.assert_allclose(result.metrics[1], trapezoid, rtol=1e-6)
    np.testing.assert_allclose(result.metrics[2], course[:, 12_000], rtol=1e-13)


def test_a_rise_by_dose_is_above_from_the_dose_on(body: Program) -> None:
    dose = schedule([(2.0, Action.SET_STATE, CLOCK, 100.0)])
    result = run(
        body,
        (Reduction.FIRST_ABOVE, CLOCK, *FOREVER, 50.0),
        (Reduction.TIME_ABOVE, CLOCK, *FOREVER, 50.0),
        (Reduction.MAXIMUM, CLOCK, 0.0, 2.0, 0.0),
        (Reduction.TIME_OF_MAXIMUM, CLOCK, *FOREVER, 0.0),
        stops=dose,
        stop=10.0,
    )
    np.testing.assert_allclose(result.metrics[:, 0], [2.0, 8.0, 2.0, 10.0], rtol=1e-12)


def test_a_failed_patient_has_no_numbers(body: Program) -> None:
    p = cohort(3)
    p[1, K] = np.nan
    result = run(
        body,
        (Reduction.MAXIMUM, CENTRAL, *FOREVER, 0.0),
        (Reduction.AREA, CENTRAL, *FOREVER, 0.0),
        (Reduction.TIME_ABOVE, CENTRAL, *FOREVER, 1.0),
        (Reduction.LAST, CENTRAL, *FOREVER, 0.0),
        p=p,
        max_steps=1000,
    )
    assert result.status[1] != Status.SUCCESS
    assert np.all(np.isnan(result.metrics[:, 1]))
    assert np.all(np.isfinite(result.metrics[:, [0, 2]]))


def test_what_is_asked_for_together_is_what_is_asked_for_alone(body: Program) -> None:
    """An extreme and its time are one search, repetitions too; bits and order stay."""
    p = cohort(11)
    wanted: list[Wanted] = [
        (Reduction.LAST, CENTRAL, -np.inf, 9.0, np.nan),
        (Reduction.TIME_OF_MAXIMUM, CENTRAL, *FOREVER, np.nan),
        (Reduction.AREA, CENTRAL, 2.0, 7.0, np.nan),
        (Reduction.MAXIMUM, CONCENTRATION, 2.0, 7.0, 3.0),
        (Reduction.VALUE_AT, CENTRAL, 4.5, np.nan, np.nan),
        (Reduction.MAXIMUM, CENTRAL, *FOREVER, 1.0),
        (Reduction.FIRST_BELOW, CENTRAL, 2.0, 20.0, 30.0),
        (Reduction.FIRST_BELOW, CENTRAL, 2.0, 20.0, 40.0),
        (Reduction.MAXIMUM, CENTRAL, *FOREVER, np.nan),
        (Reduction.MINIMUM, CENTRAL, 1.0, 20.0, np.nan),
        (Reduction.TIME_ABOVE, CENTRAL, *FOREVER, 40.0),
        (Reduction.TIME_OF_MINIMUM, CENTRAL, 1.0, 20.0, np.nan),
    ]
    together = run(body, *wanted, p=p).metrics
    for row, one in enumerate(wanted):
        np.testing.assert_array_equal(together[row], run(body, one, p=p).metrics[0])
    assert np.all(np.isfinite(together))
    np.testing.assert_array_equal(together[5], together[8])
