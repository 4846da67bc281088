"""Claims of Leon-Triana et al. 2021 (Cancers 13:703) on single- and dual-target CAR-T cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from carsim.metrics import Maximum, Minimum, ValueAt
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.leon_triana_2021b import MODEL

FINE = Solver(rtol=1e-9)
T_0 = 3.35e10


def run(single: bool, stop: float = 180.0, **parameters: Any) -> Any:
    return simulate(
        MODEL,
        variants=["single_target"] if single else [],
        parameters=parameters,
        stop=stop,
        save_at=[],
        metrics={
            "least": Minimum("T"),
            "most": Maximum("T"),
            "end": ValueAt("T", stop),
            "peak": Maximum("C"),
        },
        solver=FINE,
    )


def test_therapy_is_effective_at_first_above_rho_t_over_alpha_2() -> None:
    p = MODEL.parameter_values()[0]
    threshold = 0.02 / 2.5e-10
    above = MODEL.derivatives(0.0, [1.001 * threshold, T_0, 0.0, 0.0], p)
    below = MODEL.derivatives(0.0, [0.999 * threshold, T_0, 0.0, 0.0], p)
    assert above[1] < 0.0 < below[1]


def test_one_target_is_the_dual_system_without_cells_elsewhere() -> None:
    def eqs_1_2(t: float, y: Any) -> list[float]:
        c, tumor = y
        return [
            0.9 * c * tumor / (1e10 + tumor) - 0.04 * c * tumor / (2e9 + c) - c / 7.0,
            0.02 * tumor - 2.5e-10 * c * tumor,
        ]

    times = np.linspace(0.0, 60.0, 61)
    expected = solve_ivp(eqs_1_2, (0.0, 60.0), [4e8, T_0], "LSODA", times, rtol=1e-11, atol=1e-6).y
    result = simulate(
        MODEL,
        variants=["single_target"],
        stop=60.0,
        save_at=times,
        outputs=["C", "T", "C_bar", "B"],
        solver=FINE,
    )
    np.testing.assert_allclose(result["C"], expected[0], rtol=1e-6)
    np.testing.assert_allclose(result["T"], expected[1], rtol=1e-6)
    assert not result["C_bar"].any()
    assert not result["B"].any()


def test_small_doses_fail_and_large_ones_control() -> None:
    """Fig 3: 5e7, 8e7 and 1.5e8 cells fail, 2e8, 4e8 and 7e8 control (alpha_1 = 0.04)."""
    result = run(True, C_0=np.array([5e7, 8e7, 1.5e8, 2e8, 4e8, 7e8]))
    assert np.all(result["end"][:3] > T_0)
    assert np.all(result["end"][3:] < 0.1 * T_0)


def test_strong_immune_suppression_defeats_one_target() -> None:
    """Fig 4a: 4e8 cells control the tumor at alpha_1 = 0.04 and fail at 0.07 and 0.1."""
    result = run(True, alpha_1=np.array([0.04, 0.07, 0.1]))
    assert result["least"][0] < 0.01 * T_0
    assert np.all(result["least"][1:] > 0.5 * T_0)
    assert np.all(result["end"][1:] > T_0)
    # The text says "more than four orders of magnitude" for 0.04; the equations give 2.7, as does
    # an independent solution, and 3.9 for the 0.01 of the caption of Fig 5.
    assert T_0 / float(result["least"][0]) == pytest.approx(503.1, rel=1e-3)


def test_a_very_large_dose_overcomes_strong_suppression() -> None:
    """Fig 6c, alpha_1 = 0.1: above about 1.5e9 cells; at T_0 = 3.35e10 it takes 2e9."""
    result = run(True, alpha_1=0.1, C_0=np.array([1.4e9, 2.0e9]))
    assert result["end"][0] > T_0
    assert result["end"][1] < 0.1 * T_0


def test_a_small_tumor_stimulates_too_little() -> None:
    """Fig 4b: a fifth of the tumor, 8e7 cells: no lasting control even at alpha_1 = 0.04."""
    result = run(True, T_0=6.7e9, C_0=8e7)
    assert float(result["end"]) > 6.7e9
    assert float(result["least"]) > 0.1 * 6.7e9


def test_two_targets_control_where_one_relapses() -> None:
    """Fig 5: half the dose, a year, alpha_1 = 0.04."""
    one, two = run(True, stop=365.0), run(False, stop=365.0)
    assert float(one["end"]) > T_0
    assert float(two["end"]) < 1e3


def test_two_targets_work_where_one_fails() -> None:
    """Fig 5b: alpha_1 = 0.07; at 0.2 they still shrink the tumor tenfold for a while."""
    suppression = np.array([0.07, 0.2])
    one, two = run(True, alpha_1=suppression), run(False, alpha_1=suppression)
    assert np.all(one["least"] > 0.5 * T_0)
    assert two["end"][0] < 100.0
    assert two["least"][1] < 0.1 * T_0
    assert np.all(two["peak"] > one["peak"])
