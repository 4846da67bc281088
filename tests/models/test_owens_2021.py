"""Claims of Owens and Bozic 2021, and an independent solution of its equations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from carsim.metrics import Maximum, Minimum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose, Infusion
from carsim_models.evidence.owens_2021 import failing_share
from carsim_models.owens_2021 import MODEL

FINE = Solver(rtol=1e-9)
HALF_HOUR = 0.5 / 24.0

# a, 1/b, dE, dC, g, jE, jC, K, k, l, s, mE, mC, qE, qC
TABLE = {
    "patient_1": (
        (0.255, 2e12, 2.03, 2.25, 1.4e3, 0.011, 0.242, 1.65e9, 2.019e5, 1.395, 0.305)
        + (0.007, 0.0293, 3.42e-11, 3e-11)
    ),
    "patient_2": (
        (0.176, 2e12, 2.03, 2.25, 4.7e4, 0.00746, 0.165, 1.65e9, 7e7, 1.419, 0.305)
        + (0.034, 0.0293, 6.716e-11, 3e-11)
    ),
    "patient_3": (
        (0.514, 9.804e8, 5.8, 2.25, 1.3e4, 0.027, 0.6, 1.65e8, 2e7, 1.36, 0.25)
        + (0.02, 0.0293, 3.42e-10, 1.53e-9)
    ),
    "patient_4": (
        (0.514, 9.804e8, 4.23, 2.25, 1.3e4, 0.027, 0.6, 1.65e8, 2e7, 1.43, 0.36)
        + (0.02, 0.0293, 3.42e-10, 1.53e-9)
    ),
}


def flu(days: int, rate: float) -> Infusion:
    """Half an hour a day."""
    start = [float(day) for day in range(days)]
    return Infusion("fludarabine", rate=rate, duration=HALF_HOUR, start=start)


def independent(
    patient: str, tumor: float, dose: float, given: float, stop: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Five days of fludarabine, then CAR-T cells, with log T; values away from the events."""
    a, cap, dE, dC, g, jE, jC, K, k, power, s, mE, mC, qE, qC = TABLE[patient]

    def change(t: float, y: NDArray[np.float64], rate: float) -> list[float]:
        log_T, E, C, M = y
        T = np.exp(log_T)
        kE = dE / (1.0 + s * (T / E) ** power)
        kC = dC / (1.0 + s * (T / C) ** power) if C > 0.0 else 0.0
        drug = 1.0 - np.exp(-M)
        crowd = np.log((E + C) / K)
        gE, gC = ((v * T) ** 2 / (k + (v * T) ** 2) for v in (kE, kC))
        return [
            a * (1 - T / cap) - kE - kC - 0.7 * drug,
            g - mE * E - jE * crowd * gE * E - qE * E * T - 0.6 * drug * E,
            -mC * C - jC * crowd * gC * C - qC * C * T - 0.6 * drug * C,
            rate - 0.9 * M,
        ]

    breaks = sorted({*np.arange(5.0), *(np.arange(5.0) + HALF_HOUR), given, stop})
    y = np.array([np.log(tumor), 4e5, 0.0, 0.0])
    days, values = [], []
    for first, last in pairwise(breaks):
        if first == given:
            y[2] += 0.01 * dose
        rate = 77.0 if first < 5.0 and first % 1.0 == 0.0 else 0.0
        saved = np.linspace(first, last, 2 + int(2 * (last - first)))[1:]
        solution = solve_ivp(
            change, (first, last), y, "LSODA", saved, args=(rate,), rtol=1e-10, atol=1e-7
        )
        y = solution.y[:, -1].copy()
        days.append(saved[:-1])
        values.append(solution.y[:, :-1])
    table = np.concatenate(values, axis=1)
    table[0] = np.exp(table[0])
    return np.concatenate(days), table


@pytest.mark.parametrize(
    ("patient", "given"), [("patient_1", 6.0), ("patient_2", 9.0), ("patient_3", 7.0)]
)
def test_against_an_independent_solution(patient: str, given: float) -> None:
    """Until the tumor is eradicated, which the equations alone never do."""
    tumor = 5e9 if patient != "patient_3" else 9e8
    days, expected = independent(patient, tumor, 1e8, given, 60.0)
    result = simulate(
        MODEL,
        variants=[patient],
        parameters={"T_initial": tumor},
        therapy={"flu": flu(5, 77.0), "cells": Dose("car_t", 1e8, at=given)},
        stop=60.0,
        save_at=days,
        outputs=MODEL.state_names,
        solver=FINE,
    )
    alive = expected[0] > 10.0
    assert alive.sum() > 20
    for name, values in zip(MODEL.state_names, expected, strict=True):
        np.testing.assert_allclose(result[name][alive], values[alive], rtol=3e-5, atol=1e-6)


def test_patient_4_shares_all_but_three_rates_with_patient_3() -> None:
    three = MODEL.parameter_values(variants=["patient_3"])[0]
    four = MODEL.parameter_values(variants=["patient_4"])[0]
    names = [n for n, x, y in zip(MODEL.parameter_names, three, four, strict=True) if x != y]
    assert names == ["d_E", "exponent", "s"]
    listed = dict(zip(("d_E", "exponent", "s"), (4.23, 1.43, 0.36), strict=True))
    for name, value in listed.items():
        assert four[MODEL.parameter_index[name]] == value


def test_fludarabine_is_the_closed_form_of_half_hour_infusions() -> None:
    for days, rate, peak in ((5, 77.0, 2.648), (3, 125.0, 4.055)):
        result = simulate(
            MODEL,
            therapy={"flu": flu(days, rate)},
            stop=10.0,
            save_at=[],
            metrics={"peak": Maximum("M")},
            solver=FINE,
        )
        one = rate / 0.9 * (1.0 - np.exp(-0.9 * HALF_HOUR))
        expected = one * sum(np.exp(-0.9 * day) for day in range(days))
        assert float(result["peak"]) == pytest.approx(expected, rel=1e-7)
        assert float(result["peak"]) == pytest.approx(peak, rel=1e-3)


def test_more_rest_never_helps() -> None:
    shares = [failing_share(rest) for rest in (1.0, 3.0, 5.0, 8.0, 12.0, 15.0, 18.0)]
    assert np.all(np.diff(shares) >= 0.0)
    assert shares[0] < 0.5


def test_cells_without_fludarabine_fail_where_they_succeed_after_it() -> None:
    best = {}
    for label, drugs in (("with", {"flu": flu(5, 77.0)}), ("without", {})):
        result = simulate(
            MODEL,
            parameters={"T_initial": 5e9},
            therapy={**drugs, "cells": Dose("car_t", 1e8, at=6.0)},
            stop=250.0,
            save_at=[],
            metrics={"best": Minimum("T")},
        )
        best[label] = float(result["best"])
    assert best["with"] == 0.0
    assert best["without"] > 4.9e9


def test_default_solver_finds_the_same_outcomes() -> None:
    """Half-hour pulses and the separatrix: tolerance must not decide who is cured."""
    outcome = []
    for solver in (Solver(), FINE):
        result = simulate(
            MODEL,
            variants=["patient_2"],
            parameters={"T_initial": np.array([1e9, 5e9, 5e9, 1e10])},
            therapy={
                "flu": flu(5, 77.0),
                "cells": Dose("car_t", np.array([1e7, 1e8, 2.5e8, 1e8]), at=9.0),
            },
            stop=250.0,
            save_at=[],
            metrics={"best": Minimum("T")},
            solver=solver,
            on_failure="raise",
        )
        outcome.append(result["best"].to_numpy() < 1.0)
    assert np.array_equal(outcome[0], [True, True, True, False])
    assert np.array_equal(outcome[0], outcome[1])
