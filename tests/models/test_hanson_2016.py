"""Hanson et al. 2016: what the equations conserve, and what burden and drug do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from carsim.metrics import Maximum, Minimum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Window
from carsim_models.hanson_2016 import MODEL

FINE = Solver(rtol=1e-9)


def run(**kwargs: Any) -> Any:
    return simulate(
        MODEL,
        stop=2400.0,
        save_at=[2400.0],
        outputs=["I", "B"],
        metrics={"inflammation": Maximum("I"), "nadir": Minimum("B"), "burden": Maximum("B")},
        solver=FINE,
        **kwargs,
    )


def test_one_memory_cell_becomes_two_to_the_n_effectors() -> None:
    """2^n C_m + C_e changes by growth of memory cells and death of effectors only."""
    p = MODEL.parameter_values()[0]
    generator = np.random.default_rng(1)
    for _ in range(20):
        c_m, c_e, h_m, h_e, lymphocytes, leukemia, inflammation = generator.uniform(1.0, 200.0, 7)
        state = [c_m, c_e, h_m, h_e, lymphocytes, leukemia, inflammation]
        change = MODEL.derivatives(0.0, state, p)
        room = 1.0 - sum(state[:6]) / 1600.0
        np.testing.assert_allclose(
            64.0 * change[0] + change[1], 64.0 * 0.1 * c_m * room - 0.004 * c_e, rtol=1e-9
        )
        np.testing.assert_allclose(
            64.0 * change[2] + change[3], 64.0 * 0.1 * h_m * room - 0.004 * h_e, rtol=1e-9
        )


def test_memory_cells_do_not_divide_without_room() -> None:
    p = MODEL.parameter_values()[0]
    change = MODEL.derivatives(0.0, [10.0, 0.0, 10.0, 0.0, 1600.0, 0.0, 140.0], p)
    assert change[0] == change[2] == 0.0
    assert change[4] == pytest.approx(0.4 - 2e-4 * 1600.0)


def test_inflammation_rests_without_leukemia() -> None:
    result = run(initial={"B": 0.0})
    np.testing.assert_allclose(result["I"], [200.0 / 1.5], rtol=1e-6)
    assert not result["B"].any()


def test_a_heavy_burden_inflames_and_is_cleared() -> None:
    """Against SciPy: 30, 300 and 3000 cells/uL at the start."""
    result = run(initial={"B": np.array([30.0, 3000.0])})
    np.testing.assert_allclose(result["inflammation"], [144.8389, 2867.637], rtol=1e-4)
    np.testing.assert_allclose(result["burden"], [148.8435, 3000.0], rtol=1e-4)
    assert result["nadir"][1] < 1e-8


def test_a_drug_against_inflammation_spares_the_leukemia() -> None:
    """Against SciPy: 0, 50 and 100 an hour are removed all the time."""
    drug = {"drug": Window("D", value=np.array([0.0, 50.0, 100.0]), start=0.0)}
    result = run(therapy=drug)
    np.testing.assert_allclose(result["nadir"], [39.06921, 94.69572, 201.0059], rtol=1e-4)
    np.testing.assert_allclose(result["I"][1:, 0], [110.5734, 81.81616], rtol=1e-4)
