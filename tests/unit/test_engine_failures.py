"""A patient that cannot be integrated ends with a status; the others do not notice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim.engine.integrate import integrate
from carsim.engine.plan import Reduction, Reductions, Save, Trajectories
from carsim.engine.program import Program
from carsim.engine.status import MEANING, Status
from carsim.engine.tableaus import METHODS
from carsim.kernels import compile_model
from carsim.registry import load_model

Array = NDArray[np.float64]

RATE, UNTIL, UNIT = range(3)
VALUES = np.array([0.0, 1e6, 1.0])
TIMES = np.linspace(0.0, 2.0, 21)


@pytest.fixture(scope="module")
def blow_up() -> Program:
    return compile_model(load_model(str(Path(__file__).with_name("blow_up.py"))))


def run(program: Program, p: Array, y0: Array | None = None, **options: Any) -> Trajectories:
    n = len(p)
    y0 = np.tile([1.0, 0.0], (n, 1)) if y0 is None else y0
    options = {
        "rtol": 1e-8,
        "atol": np.full(2, 1e-6),
        "threads": 1,
        "save": Save(TIMES, np.arange(2)),
        **options,
    }
    return integrate(program, y0, p, 0.0, 2.0, **options)


def cohort(n: int, **bad: float) -> Array:
    """Patients with slightly different rates; the one in the middle is bad."""
    p = np.tile(VALUES, (n, 1))
    p[:, RATE] = np.linspace(0.0, 0.3, n)
    for name, value in bad.items():
        p[n // 2, {"rate": RATE, "until": UNTIL, "unit": UNIT}[name]] = value
    return p


@pytest.mark.parametrize("method", METHODS)
def test_a_pole_ends_with_a_status(blow_up: Program, method: str) -> None:
    """``x' = x^2`` from 1 has its pole at t = 1."""
    result = run(blow_up, cohort(1, rate=1.0), method=method)
    assert result.status[0] == Status.STEP_TOO_SMALL
    assert result.n_steps[0] < 3000
    assert result.final_time[0] == pytest.approx(1.0, abs=1e-5)
    lived = result.final_time[0] >= TIMES
    np.testing.assert_array_equal(np.isfinite(result.saved[0, 0]), lived)
    np.testing.assert_allclose(result.saved[0, 0, :10], 1.0 / (1.0 - TIMES[:10]), rtol=1e-5)


def test_a_tolerance_that_rounding_cannot_meet(blow_up: Program) -> None:
    p = cohort(1, rate=0.3)
    y0 = np.array([[1.0, 0.0]])
    tight: dict[str, Any] = {"rtol": 1e-18, "atol": np.full(2, 1e-300), "threads": 1}
    result = integrate(blow_up, y0, p, 5.0, 6.0, **tight)
    assert result.status[0] == Status.STEP_TOO_SMALL
    assert result.final_time[0] == pytest.approx(5.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_derivative_that_is_no_number_from_the_start(
    blow_up: Program, method: str, value: float
) -> None:
    result = run(blow_up, cohort(1, rate=value), method=method)
    assert result.status[0] == Status.NON_FINITE
    assert result.final_time[0] == 0.0
    assert result.n_steps[0] == 0
    assert result.n_rejected[0] < 1000
    np.testing.assert_array_equal(result.saved[0, 0, 1:], np.nan)


@pytest.mark.parametrize("method", METHODS)
def test_a_derivative_that_turns_nan_on_the_way(blow_up: Program, method: str) -> None:
    result = run(blow_up, cohort(1, until=1.05), method=method)
    assert result.status[0] == Status.NON_FINITE
    assert 0.9 < result.final_time[0] <= 1.05 + 1e-9
    assert result.n_rejected[0] < 1000


def test_an_initial_state_that_is_no_number(blow_up: Program) -> None:
    y0 = np.array([[1.0, 0.0], [np.nan, 0.0], [1.0, np.inf], [1.0, 0.0]])
    result = run(blow_up, cohort(4), y0)
    np.testing.assert_array_equal(result.status == Status.SUCCESS, [True, False, False, True])
    np.testing.assert_array_equal(result.status[1:3], Status.NON_FINITE)


def test_steps_run_out(blow_up: Program) -> None:
    p = cohort(3)
    enough = run(blow_up, p)
    needed = int(enough.n_steps[0] + enough.n_rejected[0])
    result = run(blow_up, p[:1], max_steps=needed)
    assert result.status[0] == Status.SUCCESS
    result = run(blow_up, p[:1], max_steps=needed - 1)
    assert result.status[0] == Status.MAX_STEPS
    assert result.n_steps[0] + result.n_rejected[0] == needed - 1
    assert result.final_time[0] < 2.0
    assert np.isnan(result.saved[0, 0, -1])
    np.testing.assert_array_equal(result.saved[0, 0, :5], enough.saved[0, 0, :5])


@pytest.mark.parametrize("bad", [{"rate": 5.0}, {"rate": np.nan}, {"until": 0.7}])
def test_one_bad_patient_does_not_change_the_others(
    blow_up: Program, bad: dict[str, float]
) -> None:
    n = 3 * blow_up.lanes + 5
    metric = Reductions(
        np.array([int(Reduction.MAXIMUM)]), np.array([0]), np.array([0.0]), np.array([9.0]),
        np.array([0.0]),
    )  # fmt: skip
    good = run(blow_up, cohort(n), reductions=metric)
    mixed = run(blow_up, cohort(n, **bad), reductions=metric)
    others = np.arange(n) != n // 2
    assert mixed.status[n // 2] != Status.SUCCESS
    np.testing.assert_array_equal(mixed.status[others], Status.SUCCESS)
    for name in ("final_state", "n_steps", "n_rejected"):
        np.testing.assert_array_equal(getattr(mixed, name)[others], getattr(good, name)[others])
    np.testing.assert_array_equal(mixed.saved[:, others], good.saved[:, others])
    np.testing.assert_array_equal(mixed.metrics[:, others], good.metrics[:, others])
    assert np.isnan(mixed.saved[:, n // 2, -1]).all()
    assert np.isnan(mixed.metrics[0, n // 2])


def test_a_bad_patient_costs_no_warning_and_every_status_has_words() -> None:
    assert set(MEANING) == set(Status)
    assert "singularity" in MEANING[Status.STEP_TOO_SMALL]


# --- interrupted from outside ---


def long_run(n: int) -> tuple[Array, Array]:
    """Patients that take 300 steps each, because the tolerance is tight."""
    return np.tile(VALUES, (n, 1)), np.tile([1.0, 0.0], (n, 1))


@pytest.mark.parametrize("threads", [1, 2])
def test_cancelled_runs_come_back_at_once(blow_up: Program, threads: int) -> None:
    n = 400_000
    p, y0 = long_run(n)
    asked: list[float] = []

    def cancelled() -> bool:
        asked.append(time.perf_counter())
        return True

    result = integrate(
        blow_up, y0, p, 0.0, 2.0, rtol=1e-9, atol=np.full(2, 1e-9),
        cancelled=cancelled, threads=threads,
    )  # fmt: skip
    assert time.perf_counter() - asked[0] < 0.5
    done = result.status == Status.SUCCESS
    assert not done.all()
    stopped = np.isin(result.status, (Status.CANCELLED, Status.NOT_RUN))
    np.testing.assert_array_equal(done | stopped, True)
    # Those that were never begun are said to be so, and cost nothing.
    assert (result.status == Status.CANCELLED).sum() <= threads * blow_up.lanes
    assert np.isnan(result.final_state[result.status == Status.NOT_RUN]).all()


def test_an_interrupt_in_the_progress_callback_passes_through(blow_up: Program) -> None:
    p, y0 = long_run(400_000)
    calls: list[tuple[int, int]] = []
    raised: list[float] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        raised.append(time.perf_counter())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        integrate(
            blow_up, y0, p, 0.0, 2.0, rtol=1e-9, atol=np.full(2, 1e-9),
            progress=progress, threads=2,
        )  # fmt: skip
    assert time.perf_counter() - raised[0] < 0.5
    assert len(calls) == 1
    # The engine is as good as new.
    assert run(blow_up, cohort(1)).status[0] == Status.SUCCESS


def test_progress_counts_to_the_end(blow_up: Program) -> None:
    calls: list[tuple[int, int]] = []
    p, y0 = long_run(100)
    integrate(
        blow_up, y0, p, 0.0, 2.0, rtol=1e-6, atol=np.full(2, 1e-6),
        progress=lambda done, total: calls.append((done, total)),
    )  # fmt: skip
    assert calls[-1] == (100, 100)
    assert sorted(calls) == calls
