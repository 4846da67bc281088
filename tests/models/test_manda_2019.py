"""The file MODEL1911280002 as it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.manda_2019 import MODEL

NAMES = ("H", "I_H", "T_c", "T_1", "T_2", "I_gamma", "I_2", "I_12", "I_4", "I_10", "H_B")


def test_against_two_independent_engines(suites: Path) -> None:
    folder = suites / "biomodels" / "trajectories"
    (file,) = folder.glob("manda2019*MODEL1911280002.csv")
    reference = np.genfromtxt(file, delimiter=",", names=True)
    result = simulate(
        MODEL,
        stop=100.0,
        save_at=reference["time"],
        outputs=NAMES,
        solver=Solver(rtol=1e-9),
    )
    for name in NAMES:
        expected = reference[name]
        # The two engines agree to 1e-6 of the maximum of a column.
        np.testing.assert_allclose(
            result[name], expected, rtol=1e-6, atol=1e-6 * expected.max(), err_msg=name
        )


def test_il_12_production_is_constant_as_mistyped() -> None:
    """K_12/c_1 = 0.25 pg/mL/day whatever the helper cells do, towards 0.25/1.188 pg/mL."""
    result = simulate(
        MODEL,
        parameters={"alpha_1": 0.0},
        stop=20.0,
        save_at=[1.0, 20.0],
        outputs=["I_12", "T_1"],
    )
    rest = 50.0 / 200.0 / 1.188
    expected = rest + (0.001 - rest) * np.exp(-1.188)
    assert float(result["I_12"][0]) == pytest.approx(expected, rel=1e-4)
    assert float(result["I_12"][1]) == pytest.approx(rest, rel=1e-4)
    assert float(result["T_1"][1]) < 0.1  # of 1000 at the start


def test_virus_grows_as_the_linear_infection_does() -> None:
    """The dominant eigenvalue of I_H and H_B with all hepatocytes uninfected and no T cells."""
    matrix = np.array([[-0.7043, 9.9e-10 * 9.6e6], [0.3043 * 500.0, -0.83]])
    rate = np.linalg.eigvals(matrix).real.max()
    assert rate > 0.0
    result = simulate(
        MODEL,
        parameters={"alpha_c": 0.0},
        stop=30.0,
        save_at=[20.0, 30.0],
        outputs=["H_B", "H"],
        solver=Solver(rtol=1e-9),
    )
    growth = float(np.log(result["H_B"][1] / result["H_B"][0])) / 10.0
    assert growth == pytest.approx(rate, rel=1e-3)
