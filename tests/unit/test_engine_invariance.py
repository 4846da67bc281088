"""A patient's bits depend on the patient only: not on grid, threads, order, lane or company."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, Reduction, Reductions, Save, Trajectories
from carsim.engine.program import Program
from carsim.engine.tableaus import METHODS
from carsim.kernels import compile_model
from carsim.model import Model
from tests.engine_plans import Row, inputs, schedule, watch

Array = NDArray[np.float64]

DEPOT, CENTRAL, CLOCK, CONCENTRATION = range(4)
KA, CL, V, F, ONE, K = range(6)
STOP = 12.0
GRID = np.linspace(0.0, STOP, 10)
RESULTS = (
    "metrics",
    "status",
    "n_steps",
    "n_rejected",
    "final_time",
    "final_state",
    "log_count",
    "log_time",
    "log_event",
    "log_value",
)


class Ensemble:
    """Heterogeneous patients with doses, rules, a floor and reductions."""

    def __init__(self, n: int) -> None:
        generator = np.random.default_rng(7)
        self.n = n
        self.p = np.stack(
            [
                generator.lognormal(0.5, 1.0, n),
                np.ones(n),
                generator.lognormal(3.0, 0.3, n),
                np.full(n, 0.8),
                np.ones(n),
                generator.lognormal(-1.0, 1.0, n),
            ],
            axis=1,
        )
        self.y0 = np.stack([generator.uniform(1.0, 500.0, n), np.zeros(n), np.zeros(n)], axis=1)
        times = np.sort(generator.uniform(0.0, STOP, (n, 3)), axis=1)
        self.stops: list[list[Row]] = [
            [
                (first, Action.ADD_STATE, DEPOT, 50.0),
                (second, Action.SET_RUNNING, CENTRAL, 3.0),
                (third, Action.SET_PARAMETER, K, 0.7),
            ]
            for first, second, third in times.tolist()
        ]
        self.rules = watch(
            n,
            (CONCENTRATION, 0.0, -1, 3, [(Action.ADD_STATE, DEPOT, 20.0)]),
            (CLOCK, 0.0, 1, 2, [(Action.SET_STATE, CLOCK, 0.0)]),
            thresholds=np.stack([generator.uniform(0.1, 5.0, n), np.full(n, 4.0)], axis=1),
        )
        kinds = list(Reduction)
        self.reductions = Reductions(
            np.array([int(kind) for kind in kinds]),
            np.full(len(kinds), CONCENTRATION),
            np.full(len(kinds), 1.25),
            np.full(len(kinds), 11.0),
            np.full(len(kinds), 2.0),
        )
        self.floors = np.array([0.5, -np.inf, -np.inf])

    def run(
        self, program: Program, index: NDArray[np.int64] | None = None, **options: Any
    ) -> Trajectories:
        """The patients of `index`, in that order."""
        index = np.arange(self.n) if index is None else index
        options = {
            "rtol": 1e-5,
            "atol": np.full(3, 1e-8),
            "threads": 1,
            "save": Save(GRID, np.arange(4)),
            "floors": self.floors,
            "courses": inputs(3),
            "rules": replace(self.rules, threshold=self.rules.threshold[index]),
            "reductions": self.reductions,
            "stops": schedule(*(self.stops[patient] for patient in index)),
            **options,
        }
        return integrate(program, self.y0[index], self.p[index], 0.0, STOP, **options)


def assert_same_bits(
    a: Trajectories, b: Trajectories, index: NDArray[np.int64] | slice = slice(None)
) -> None:
    """Patients of `a` are the patients `index` of `b`."""
    for name in RESULTS:
        left, right = getattr(a, name), getattr(b, name)
        right = right[:, index] if name == "metrics" else right[index]
        np.testing.assert_array_equal(left, right, err_msg=name)
    np.testing.assert_array_equal(a.saved, b.saved[:, index])


@pytest.fixture(scope="module")
def ensemble(body: Program) -> Ensemble:
    # Not a multiple of the number of lanes: the last lanes run dry one by one.
    return Ensemble(5 * body.lanes + 3)


@pytest.fixture(scope="module")
def whole(ensemble: Ensemble, body: Program) -> Trajectories:
    return ensemble.run(body)


def test_the_ensemble_is_worth_its_name(whole: Trajectories) -> None:
    assert np.all(whole.status == 0)
    assert whole.n_steps.max() > 1.3 * whole.n_steps.min()
    assert whole.log_count.min() < whole.log_count.max()
    assert (whole.log_event < 0).any()
    assert (whole.log_event > 0).any()


@pytest.mark.parametrize("method", METHODS)
def test_every_patient_alone(ensemble: Ensemble, body: Program, method: str) -> None:
    together = ensemble.run(body, method=method)
    for patient in (0, 1, 17, ensemble.n - 1):
        index = np.array([patient])
        assert_same_bits(ensemble.run(body, index, method=method), together, index)


def test_reversed_order(ensemble: Ensemble, body: Program, whole: Trajectories) -> None:
    index = np.arange(ensemble.n)[::-1]
    assert_same_bits(ensemble.run(body, index), whole, index)


def test_numbers_without_any_rule(ensemble: Ensemble, body: Program) -> None:
    """From the first step on, no patient finds in its lane what another one left there."""
    reductions = replace(ensemble.reductions, start=np.zeros(len(Reduction)))
    options: dict[str, Any] = {"rules": None, "reductions": reductions}
    whole = ensemble.run(body, **options)
    for index in (np.arange(ensemble.n)[::-1], np.array([ensemble.n - 1])):
        assert_same_bits(ensemble.run(body, index, **options), whole, index)


@pytest.mark.parametrize("shift", [1, 5, 8])
def test_every_lane(ensemble: Ensemble, body: Program, whole: Trajectories, shift: int) -> None:
    """One lane load of patients, each in another lane than before."""
    index = np.roll(np.arange(body.lanes), shift)
    assert_same_bits(ensemble.run(body, index), whole, index)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads(ensemble: Ensemble, body: Program, whole: Trajectories, threads: int) -> None:
    assert_same_bits(ensemble.run(body, threads=threads), whole)


def test_copies_of_a_patient_are_equal(ensemble: Ensemble, body: Program) -> None:
    index = np.full(2 * body.lanes, 4)
    result = ensemble.run(body, index, save=Save.nothing())
    for name in RESULTS:
        values = getattr(result, name)
        values = values.T if name == "metrics" else values
        np.testing.assert_array_equal(values, np.broadcast_to(values[0], values.shape))


@pytest.mark.parametrize("method", METHODS)
def test_the_output_grid(ensemble: Ensemble, body: Program, method: str) -> None:
    """10 or 10,000 saved times, or none: the same steps, the same metrics, the same values."""
    few = ensemble.run(body, method=method)
    fine = np.union1d(np.linspace(0.0, STOP, 10_001), GRID)
    many = ensemble.run(body, method=method, save=Save(fine, np.arange(4)))
    none = ensemble.run(body, method=method, save=Save.nothing())
    for name in RESULTS:
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name), err_msg=name)
        np.testing.assert_array_equal(getattr(few, name), getattr(none, name), err_msg=name)
    common = np.searchsorted(fine, GRID)
    np.testing.assert_array_equal(many.saved[:, :, common], few.saved)


def test_saved_sources_do_not_change_each_other(
    ensemble: Ensemble, body: Program, whole: Trajectories
) -> None:
    one = ensemble.run(body, save=Save(GRID, np.array([CONCENTRATION])))
    np.testing.assert_array_equal(one.saved[0], whole.saved[CONCENTRATION])


def test_number_of_lanes(one_compartment: Model, ensemble: Ensemble) -> None:
    """8 or 16 lanes: the same bits, but for times found by subdividing a step among lanes."""
    narrow, wide = (compile_model(one_compartment, lanes=lanes) for lanes in (8, 16))
    plain: dict[str, Any] = {
        "rules": None,
        "reductions": None,
        "floors": None,
    }
    for method in METHODS:
        a, b = (ensemble.run(program, method=method, **plain) for program in (narrow, wide))
        assert_same_bits(a, b)
    a, b = (ensemble.run(program, rtol=1e-9) for program in (narrow, wide))
    np.testing.assert_array_equal(a.log_event, b.log_event)
    # Behind an event that moved in its last digit, step sizes and so errors differ: by less than
    # the tolerance of the run.
    np.testing.assert_allclose(a.log_time, b.log_time, rtol=1e-10)
    np.testing.assert_allclose(a.final_state, b.final_state, rtol=1e-9, atol=1e-12)
    # The rule tops up at one concentration again and again: which of these equal troughs is the
    # lowest is a matter of rounding.
    tied = int(Reduction.TIME_OF_MINIMUM)
    np.testing.assert_allclose(
        np.delete(a.metrics, tied, axis=0), np.delete(b.metrics, tied, axis=0), rtol=1e-4
    )


def test_a_run_split_at_a_restart_is_the_whole_run(body: Program) -> None:
    ensemble = Ensemble(2 * body.lanes + 1)
    split = 4.75
    restart = schedule([(split, Action.RESTART, 0, 0.0)])
    options: dict[str, Any] = {"rtol": 1e-6, "atol": np.full(3, 1e-8), "threads": 1}
    grid = np.linspace(0.0, STOP, 49)
    save = Save(grid, np.arange(4))
    before, after = Save(grid[grid <= split], save.sources), Save(grid[grid >= split], save.sources)
    whole = integrate(body, ensemble.y0, ensemble.p, 0.0, STOP, stops=restart, save=save, **options)
    first = integrate(body, ensemble.y0, ensemble.p, 0.0, split, save=before, **options)
    second = integrate(body, first.final_state, ensemble.p, split, STOP, save=after, **options)
    np.testing.assert_array_equal(second.final_state, whole.final_state)
    np.testing.assert_array_equal(first.n_steps + second.n_steps, whole.n_steps)
    np.testing.assert_array_equal(first.saved, whole.saved[:, :, grid <= split])
    np.testing.assert_array_equal(second.saved, whole.saved[:, :, grid >= split])


def test_lanes_are_kept_busy(body: Program) -> None:
    """Patients need between 20 and some hundred steps; lanes are refilled as they finish."""
    ensemble = Ensemble(60 * body.lanes)
    result = ensemble.run(body, save=Save.nothing())
    used = (result.n_steps + result.n_rejected).sum()
    assert used / result.lane_steps > 0.95
    threaded = ensemble.run(body, save=Save.nothing(), threads=2)
    assert used / threaded.lane_steps > 0.9
