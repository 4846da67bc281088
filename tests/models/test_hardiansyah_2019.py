"""Claims of Hardiansyah and Ng 2019, identities of its equations, and an independent solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from carsim.metrics import Maximum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose
from carsim_models.hardiansyah_2019 import MODEL

FINE = Solver(rtol=1e-9)
DOSES = {"UPN1": 1.1e9, "UPN3": 1.4e7}

# In units of 1e9 cells, as in the supplement: P_IL6, P_IL10, P_IFN, r_E, d_E, a_E, K_BC, B_0.
TABLE_S2 = {
    "UPN1": (1.8e-3, 0.7e-3, 3e-4, 16.16, 23.04, 0.024, 0.19, 4.14),
    "UPN3": (6e-3, 17e-3, 6e-3, 14.40, 1.44, 0.12, 2.21, 0.93),
}
BASELINES = {"UPN1": (1.7, 4.5, 2.3), "UPN3": (1.0, 0.5, 1.7)}


def split(dose: Any) -> Dose:
    """Ten, thirty and sixty percent of a dose on days 0, 1 and 2."""
    return Dose("car_t", [0.1 * dose, 0.3 * dose, 0.6 * dose], at=[0.0, 1.0, 2.0])


def independent(patient: str, stop: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Equations 1-9 in the supplement's units, solved dose by dose; daily values."""
    P6, P10, PI, rE, dE, aE, K, B_0 = TABLE_S2[patient]
    b6, b10, bI = BASELINES[patient]

    def change(t: float, y: NDArray[np.float64]) -> list[float]:
        B, E, Et, M, Mt, six, ten, gamma = y
        f = B / (B + 1e5)
        Fd = 0.59 + 0.41 * 650.0 / (ten + 650.0)
        return [
            0.0093 * B - 0.0076 * B - K * E * B,
            rE * B * E - dE * E - 76.78 * E + 1.84 * Et - aE * E * (1 - f) + M * f,
            76.78 * E - 1.84 * Et,
            0.0509 * M - 0.408 * M - 76.78 * M + 1.84 * Mt + aE * E * (1 - f) - M * f,
            76.78 * M - 1.84 * Mt,
            3.96 * b6 + P6 * 1e6 * B * E - 3.96 * six,
            4.68 * b10 + P10 * 1e6 * B * E - 4.68 * ten,
            1.51 * bI + PI * 1e6 * B * E * Fd - 1.51 * gamma,
        ]

    y = np.array([B_0, 0.0, 0.0, 0.0, 0.0, b6, b10, bI])
    days, values = [], []
    for first, last, share in ((0.0, 1.0, 0.1), (1.0, 2.0, 0.3), (2.0, stop, 0.6)):
        y = y.copy()
        y[1] += share * DOSES[patient] / 1e9
        saved = np.arange(first + 0.5, last + 0.25, 0.5)
        solution = solve_ivp(
            change, (first, last), y, method="Radau", t_eval=saved, rtol=1e-9, atol=1e-13
        )
        y = solution.y[:, -1]
        # What carsim saves on a day with a dose is the state after it.
        keep = saved % 1.0 != 0.0 if last <= 2.0 else np.ones(saved.size, dtype=bool)
        days.append(saved[keep])
        values.append(solution.y[:, keep])
    table = np.concatenate(values, axis=1)
    table[:5] *= 1e9
    return np.concatenate(days), table


@pytest.mark.parametrize("patient", ["UPN1", "UPN3"])
def test_against_an_independent_solution(patient: str) -> None:
    days, expected = independent(patient, 60.0)
    result = simulate(
        MODEL,
        variants=[patient],
        therapy={"cells": split(DOSES[patient])},
        stop=60.0,
        save_at=days,
        outputs=MODEL.state_names,
        solver=FINE,
    )
    for name, values in zip(MODEL.state_names, expected, strict=True):
        np.testing.assert_allclose(result[name], values, rtol=2e-6, atol=1e-7 * values.max())


@pytest.mark.parametrize(("patient", "fold"), [("UPN1", 155.0), ("UPN3", 20.0)])
def test_cytokines_follow_the_burden_and_not_the_dose(patient: str, fold: float) -> None:
    """Fig 2b: from half to twice the burden, or half to twice the dose."""
    factor = np.array([0.5, 2.0])
    peak = {}
    burden = float(MODEL.parameter_values(variants=[patient])[0, MODEL.parameter_index["B_0"]])
    for varied, parameters, dose in (
        ("burden", {"B_0": factor * burden}, np.ones(2) * DOSES[patient]),
        ("dose", {}, factor * DOSES[patient]),
    ):
        result = simulate(
            MODEL,
            variants=[patient],
            parameters=parameters,
            therapy={
                f"day {day}": Dose("car_t", share * dose, at=float(day))
                for day, share in enumerate((0.1, 0.3, 0.6))
            },
            stop=120.0,
            save_at=[],
            metrics={"peak_IL6": Maximum("IL6"), "peak_car_t": Maximum("car_t_blood")},
            solver=FINE,
        )
        peak[varied] = {name: result[name].to_numpy() for name in ("peak_IL6", "peak_car_t")}
    # nlmixr2lib's 155 comes from values every 0.1 day, which miss some of the sharp peak.
    assert peak["burden"]["peak_IL6"][1] / peak["burden"]["peak_IL6"][0] == pytest.approx(
        fold, rel=0.02
    )
    for values in peak["dose"].values():
        assert np.ptp(values) < 0.035 * values.max()


def test_cells_move_and_change_without_loss() -> None:
    """Without growth and death the four pools hold the infused cells."""
    none = dict.fromkeys(("r_E", "d_E", "r_M", "d_M"), 0.0)
    result = simulate(
        MODEL,
        parameters=none,
        therapy={"cells": split(1.1e9)},
        stop=100.0,
        save_at=np.linspace(2.0, 100.0, 50),
        outputs=["E", "E_t", "M", "M_t"],
        solver=FINE,
    )
    total = result["E"] + result["E_t"] + result["M"] + result["M_t"]
    np.testing.assert_allclose(total, 1.1e9, rtol=1e-7)
    assert float(result["M"].max()) > 1e6


def test_terminal_decline_is_that_of_memory_cells_diluted_in_tissue() -> None:
    """(d_M - r_M) k_out / (k_in + k_out), a half-life of 83 days."""
    result = simulate(
        MODEL,
        therapy={"cells": split(1.1e9)},
        stop=350.0,
        save_at=[250.0, 350.0],
        solver=FINE,
    )
    slope = float(np.log(result["car_t_blood"][0] / result["car_t_blood"][1])) / 100.0
    assert slope == pytest.approx((0.408 - 0.0509) * 1.84 / (76.78 + 1.84), rel=0.01)


def test_without_car_t_cells_cytokines_rest_and_leukemia_grows() -> None:
    result = simulate(MODEL, stop=300.0, save_at=[300.0], outputs=MODEL.state_names, solver=FINE)
    assert float(result["B"][0]) == pytest.approx(4.14e9 * np.exp(0.0017 * 300.0), rel=1e-7)
    for name, value in (("IL6", 1.7), ("IL10", 4.5), ("IFN", 2.3)):
        assert float(result[name][0]) == pytest.approx(value, rel=1e-9)


def test_default_solver_reaches_the_end_and_the_peak() -> None:
    result = simulate(
        MODEL,
        therapy={"cells": split(1.1e9)},
        stop=350.0,
        save_at=[],
        metrics={"peak": Maximum("IL6")},
        on_failure="raise",
    )
    assert float(result["peak"]) == pytest.approx(2747.6, rel=1e-3)
