"""Claims of Fatehi Chenar et al. 2018, and the curated file solved by SciPy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim_models.fatehi_chenar_2018 import MODEL

FINE = Solver(rtol=1e-10)
NAMES = ("T", "I", "F1", "F2", "N", "E", "R", "V", "A")


def reactions(t: float, x: np.ndarray) -> list[float]:
    """The reactions of the curated file, one by one, summed by stoichiometry."""
    T, I, F1, F2, N, E, R, V, A = x  # noqa: E741 (the symbols of the file)
    turnover = 0.003 * (1 - T)
    infection = 7 * V * T
    back = 5 * R
    to_refractory = 14 * T * (F1 + F2)
    death = 0.56 * I
    killing = (5 * (1 + 1.5 * F1 + 0.6 * F2) * N + 0.14 * (1 + 1.9 * F1 + 2 * F2) * E) * I
    cured = 21 * I * F2
    production = I * 20 / (1 + 1.7 * F1 + 1 * F2)
    neutralized = 8 * V * A
    return [
        turnover - infection + back - to_refractory,
        infection - death - killing - cured,
        1 * I - 4.9 * F1,
        0.5 * E + 3 * N - 5.16 * F2,
        N * (1 - N) + (0.8 * F1 + 0.6 * F2) * N,
        0.5 * E * (1 - E) + 1 * I * E,
        -back + to_refractory + cured,
        production - 0.67 * V - neutralized,
        -neutralized + 0.332 * (1 - A) + 5 * V,
    ]


def test_against_an_independent_solution_of_the_curated_file() -> None:
    times = np.linspace(0.0, 5.0, 26)
    start = [0.9, 0.0, 0.0, 0.0, 0.1, 0.2, 0.0, 0.4, 0.1]
    expected = solve_ivp(reactions, (0.0, 5.0), start, "LSODA", times, rtol=1e-11, atol=1e-13).y
    result = simulate(MODEL, stop=5.0, save_at=times, outputs=NAMES, solver=FINE)
    for name, column in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(result[name], column, rtol=1e-6, atol=1e-8, err_msg=name)


def test_against_the_rows_of_the_copasi_run(suites: Path) -> None:
    anchors = json.loads((suites / "anchors" / "anchors.json").read_text())
    run = anchors["fatehi_chenar_2018_HBV_BIOMD0000000848"]
    rows = np.array(run["rows"])
    columns = [name.replace("_", "") for name in run["columns"][1:]]
    assert sorted(columns) == sorted(NAMES)
    result = simulate(MODEL, stop=0.6, save_at=rows[:, 0], outputs=columns, solver=FINE)
    found = np.stack([result[name] for name in columns], axis=1)
    # COPASI ran at a relative tolerance of 1e-6.
    np.testing.assert_allclose(found, rows[:, 1:], rtol=2e-6)


def test_the_infection_is_cleared_and_leaves_the_disease_free_state() -> None:
    """N = 1 + q2 F2 and d2 F2 = p2 + p3 N; the antibody and the T cells rest at 1."""
    result = simulate(MODEL, stop=100.0, save_at=[100.0], outputs=NAMES, solver=FINE)
    found = {name: float(result[name][0]) for name in NAMES}
    F2 = (0.5 + 3.0) / (5.16 - 3.0 * 0.6)
    rest = {"F2": F2, "N": 1.0 + 0.6 * F2, "E": 1.0, "A": 1.0, "I": 0.0, "F1": 0.0, "V": 0.0}
    for name, value in rest.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6, err_msg=name)
    # Uninfected and refractory cells exchange faster than they turn over.
    np.testing.assert_allclose(found["R"] / found["T"], 14.0 * F2 / 5.0, rtol=2e-3)


def test_without_interferon_more_cells_are_infected() -> None:
    result = simulate(
        MODEL,
        parameters={"psi1": np.array([14.0, 0.0]), "psi2": np.array([21.0, 0.0])},
        stop=10.0,
        save_at=np.linspace(0.0, 10.0, 201),
        outputs=["I", "V"],
    )
    peak = result["I"].max("time").to_numpy()
    assert peak[1] > 1.2 * peak[0]
    virus = result["V"].max("time").to_numpy()
    assert virus[1] > 1.2 * virus[0]
