"""Claims of Kirouac et al. 2023, and an independent solution for its parameter sets."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from carsim.metrics import Last, Maximum, Minimum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose
from carsim_models.evidence.kirouac_2023 import parameter_sets
from carsim_models.kirouac_2023 import MODEL

FINE = Solver(rtol=1e-9)
CELLS = {"cells": Dose("car_t", 1e8, at=0.0)}


def switch(x: float, n: float, half: float) -> float:
    """Hill function in the argument order of the paper."""
    return float(x**n / (half**n + x**n)) if x > 0.0 else 0.0


def independent(q: dict[str, float], days: NDArray[np.float64]) -> NDArray[np.float64]:
    """The equations as the supplement groups them; rows Tm, Te1, Te2, Tx, B, Ba."""

    def change(t: float, y: NDArray[np.float64]) -> list[float]:
        Tm, Te1, Te2, Tx, B, Ba, D, DX = y
        stay = q["f_max"] * (1.0 - switch(Ba, q["k_M"], q["B50"]))
        make = q["mu_E"] * switch(Ba, q["k_E"], q["B50"]) * Te1
        tire = q["k_ex"] * switch(Ba, q["k_X"], q["B50"]) * Te2
        back = q["r_M"] * (1.0 - switch(Ba, q["k_r"], q["B50"])) * Te2
        fates = np.array([q["f_Tm"], q["f_Te1"], q["f_Te2"], q["f_Tx"]])
        return [
            q["mu_M"] * (2.0 * stay - 1.0) * Tm - q["d_M"] * Tm + fates[0] * DX + back,
            2.0 * q["mu_M"] * (1.0 - stay) * Tm - make - q["d_E1"] * Te1 + fates[1] * DX,
            make * 2.0 ** q["N"] - tire - q["d_E2"] * Te2 + fates[2] * DX - back,
            tire - q["d_X"] * Tx + fates[3] * DX,
            q["mu_B"] * B * (1.0 - B / q["B_max"])
            - q["k_kill"] * B * switch(Te2, q["k_t"], q["TK50"]),
            q["k_B1"] * B - q["k_B2"] * Ba,
            -q["f_loss"] * D - D,
            D - fates.sum() * DX,
        ]

    start = [0.0, 0.0, 0.0, 0.0, 1e10, 1e10, 1e8, 0.0]
    solution = solve_ivp(
        change, (0.0, days[-1]), start, "LSODA", t_eval=days, rtol=1e-10, atol=1e-4
    )
    return np.asarray(solution.y[:6])


@pytest.mark.parametrize("response", ["CR", "PR", "NR"])
def test_twelve_sets_against_an_independent_solution(response: str) -> None:
    days = np.linspace(0.0, 100.0, 101)
    sets = parameter_sets(response)
    result = simulate(
        MODEL,
        parameters=sets,
        therapy=CELLS,
        stop=100.0,
        save_at=days,
        outputs=MODEL.state_names[:6],
        solver=FINE,
    )
    for patient in range(12):
        one = {name: float(values[patient]) for name, values in sets.items()}
        for name, values in zip(MODEL.state_names, independent(one, days), strict=False):
            np.testing.assert_allclose(
                result[name][patient], values, rtol=1e-5, atol=1e-6 * values.max() + 1.0
            )


def test_defaults_and_variants_are_the_medians_of_the_sets() -> None:
    for response in ("CR", "PR", "NR"):
        values = MODEL.parameter_values(variants=[response])[0]
        for name, sets in parameter_sets(response).items():
            assert values[MODEL.parameter_index[name]] == pytest.approx(np.median(sets), rel=1e-5)


def test_expansion_separates_responders_from_non_responders() -> None:
    """Fig 1b: the smallest peak of a responder is above the largest without response."""
    peak = {}
    for response in ("CR", "PR", "NR"):
        result = simulate(
            MODEL,
            parameters=parameter_sets(response),
            therapy=CELLS,
            stop=365.0,
            save_at=[],
            metrics={"peak": Maximum("car_t"), "end": Last("B")},
            on_failure="raise",
        )
        peak[response] = result["peak"].to_numpy()
        if response == "NR":
            assert np.all(result["end"] > 1e10)
    assert peak["NR"].max() < peak["PR"].min()
    assert np.median(peak["PR"]) < np.median(peak["CR"])


def test_memory_turnover_and_potency_move_a_responder_to_no_response() -> None:
    """The paper's message: mu_M, k_kill and TK50 separate the classes.

    Each of the twelve complete responders gets the median values of the non-responders in these.
    """
    sets = parameter_sets("CR")
    no_response = parameter_sets("NR")
    worse = {name: np.full(12, np.median(no_response[name])) for name in ("mu_M", "k_kill", "TK50")}
    best = {}
    for label, changed in (("CR", {}), ("swapped", worse)):
        result = simulate(
            MODEL,
            parameters={**sets, **changed},
            therapy=CELLS,
            stop=365.0,
            save_at=[],
            metrics={"best": Minimum("B"), "peak": Maximum("car_t")},
            on_failure="raise",
        )
        best[label] = (result["best"].to_numpy(), result["peak"].to_numpy())
    assert np.median(best["swapped"][0]) > 30.0 * np.median(best["CR"][0])
    assert np.median(best["swapped"][1]) < np.median(best["CR"][1])


def test_of_a_dose_one_cell_in_f_loss_plus_one_arrives() -> None:
    """Without division and death the pools hold what arrived."""
    none = dict.fromkeys(
        ("mu_M", "mu_E", "k_ex", "d_M", "d_E1", "d_E2", "d_X", "r_M", "k_kill"), 0.0
    )
    result = simulate(MODEL, parameters=none, therapy=CELLS, stop=5.0, save_at=[5.0], solver=FINE)
    f_loss = float(MODEL.parameter_values()[0, MODEL.parameter_index["f_loss"]])
    assert float(result["car_t"][0]) == pytest.approx(1e8 / (f_loss + 1.0), rel=1e-6)
