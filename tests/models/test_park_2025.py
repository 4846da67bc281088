"""Claims of Park et al. 2025, and an independent solution of all its equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from carsim.metrics import FirstBelow, Maximum, TimeOfMaximum, TimeOfMinimum
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose
from carsim_models.park_2025 import MODEL

Array = NDArray[np.float64]

FINE = Solver(rtol=1e-9)
LYMPHODEPLETION = Dose("lymphodepletion", 1935.0, at=0.0)

# The order of carsim's states, in the order of the independent solution.
SUBSETS = ("CD8_b", "CD4_b", "CD8_m", "CD4_m")
PHENOTYPES = ("TN", "CM", "EM", "Eff")
HOST = ("LDC", "Pc_CD4", "CD4", "Pc_CD8", "CD8", "NT_prol", "NT_1", "NT_2", "NT_3", "NT")
NAMES = (
    *(f"{subset}.{phenotype}" for subset in SUBSETS for phenotype in PHENOTYPES),
    *(f"{subset}.Cplx" for subset in SUBSETS),
    *("B_b", "B_rev", "B_m"),
    *(f"host.{name}" for name in HOST),
    *(f"disease.{name}" for name in ("IFN", "AAb", "C3", "PTU")),
)


def equations(antibodies: bool, returning: bool) -> Callable[[float, Array], Array]:
    """Appendix S2 with its two switches held; matrices over CD8+, CD4+ and four phenotypes."""
    kon, koff = 2.1e5 * 86400.0 / 6.023e23, 6.81e-5 * 86400.0
    chain = np.diag([-0.15, -0.11, -0.72, 0.0]) + np.diag([0.15, 0.11, 0.72], -1)
    loss = np.array([0.69, 0.69, 0.69, 47.38])
    grows = np.array([1.0, 1.0, 1.0, 0.0])
    most = np.array([1.8, 1.8 / 1.12])

    def change(t: float, y: Array) -> Array:
        blood, marrow = y[:8].reshape(2, 4), y[8:16].reshape(2, 4)
        bound_b, bound_m = y[16:18], y[18:20]
        B_b, B_rev, B_m, ldc, p4, t4, p8, t8, n0, n1, n2, n3, n, ifn, aab, c3, ptu = y[20:]
        count_b, count_m = blood.sum(axis=1), marrow.sum(axis=1)
        grow_b = most * bound_b / (1.9e-5 * np.maximum(count_b, 1e-12) + bound_b)
        grow_m = most * bound_m / (1.9e-5 * np.maximum(count_m, 1e-12) + bound_m)
        d_blood = blood @ chain.T + grow_b[:, None] * grows * blood
        d_blood += -(loss + 1.41) * blood + 0.0017 * 1.6 / 5.0 * marrow
        d_marrow = marrow @ chain.T + grow_m[:, None] * grows * marrow
        d_marrow += -0.0017 * marrow + 1.41 * 5.0 / 1.6 * blood
        out = np.empty(37)
        out[:8], out[8:16] = d_blood.ravel(), d_marrow.ravel()
        for where, count, bound, B in (
            (16, count_b, bound_b, B_b),
            (18, count_m, bound_m, B_m),
        ):
            free = 14000.0 * B - bound.sum()
            out[where : where + 2] = kon * (15000.0 * count - bound) * free - koff * bound
        for where, bound, B in ((20, bound_b, B_b), (22, bound_m, B_m)):
            per_cell = bound.sum() / max(B, 1e-12)
            out[where] = 0.0193 * B - 2.76 * per_cell / (7.71 + per_cell) * B
        out[21] = 1.58e6 * (1.0 - (B_b + B_rev) / 449e6) if returning else 0.0
        drug = ldc / 5.0
        out4 = p4 * 0.0007 * (1.0 - 0.85 * drug / (0.15 + drug))
        out8 = p8 * 0.00045 * (1.0 - 0.96 * drug / (0.067 + drug))
        k = 4.0 / 4.35
        inhibited = 1.0 - 27.32 * drug / (1203.42 + drug)
        out[23:28] = (
            -1.39 * ldc,
            210.18 - out4,
            out4 - 1.02 * t4,
            525.59 - out8,
            out8 - 1.49 * t8,
        )
        out[28] = k * n0 * inhibited * (5617.22 / n) ** 0.14 - k * n0
        out[29:33] = k * (n0 - n1), k * (n1 - n2), k * (n2 - n3), k * (n3 - n)
        interferon, A = ifn / 21.0, aab / 4.7e5
        out[33] = 23.04 * 21.0 * A * n / 5617.22 - 23.04 * ifn
        release = B_b * t4 / (210.18 / 1.02) * interferon**0.09 - 1.43e8 * A
        out[34] = 15875.77 * release if antibodies else 0.0
        synthesis = 1.5 * 24.0 * 70.0
        out[35] = (synthesis - synthesis / (555.0 * 5.0) * c3 * 5.0 * A**0.1) / 5.0
        urine = 70.0 * 24.0 / 100.0
        signals = np.exp(t8 / (525.59 / 1.49)) * np.exp(n / 5617.22)
        made = 1000.0 * (555.0 / c3) ** 1.09 * interferon**0.8 * signals
        out[36] = (made - ptu * urine * 1000.0 / (urine * 3060.0)) / urine
        return out

    return change


def independent(cells: float, days: Array) -> Array:
    """All 37 states, restarted where a switch flips."""
    product = np.outer([0.23, 0.759], [0.0729, 0.221, 0.609, 0.0977])
    y = np.zeros(37)
    y[:8] = cells / 5.0 * product.ravel()
    y[20], y[22], y[23] = 1.43e8, 1.5e9, 1935.0
    y[24:28] = 210.18 / 0.0007, 210.18 / 1.02, 525.59 / 0.00045, 525.59 / 1.49
    y[28:33], y[33:] = 5617.22, (21.0, 4.7e5, 555.0, 3060.0)
    floors = np.concatenate(
        [np.full(23, 1e-6), [1e-9], np.full(9, 1e-7), [1e-10, 1e-5, 1e-7, 1e-7]]
    )

    def antibodies_stop(t: float, y: Array) -> float:
        return float(y[20] - 1e6)

    def car_t_threshold(t: float, y: Array) -> float:
        return float(y[:8].sum() - 2.38e6)

    antibodies_stop.terminal = car_t_threshold.terminal = True  # type: ignore[attr-defined]
    now, made, few, saved = 0.0, True, car_t_threshold(0.0, y) < 0.0, []
    while True:
        events: list[Any] = [car_t_threshold, antibodies_stop][: 2 if made else 1]
        later = days[days > now]
        solution = solve_ivp(
            equations(made, few),
            (now, days[-1]),
            y,
            "Radau",
            later,
            events=events,
            rtol=1e-8,
            atol=floors,
        )
        saved.append(solution.y)
        if solution.status != 1:
            return np.concatenate(saved, axis=1)
        flipped = 0 if len(solution.t_events[0]) else 1
        few, made = (not few, made) if flipped == 0 else (few, False)
        now, y = float(solution.t_events[flipped][0]), solution.y_events[flipped][0]
        # A root on the spot would be found again.
        y = y + 1e-9 * equations(made, few)(now, y)
        now += 1e-9


@pytest.mark.parametrize("cells", [7e7, 7e5])
def test_against_an_independent_solution(cells: float) -> None:
    assert set(NAMES) == set(MODEL.state_names)
    days = np.concatenate([np.linspace(0.02, 1.0, 15), np.linspace(1.5, 200.0, 150)])
    result = simulate(
        MODEL,
        therapy={"flu and cy": LYMPHODEPLETION, "cells": Dose("car_t", cells, at=0.0)},
        stop=200.0,
        save_at=days,
        outputs=NAMES,
        solver=FINE,
    )
    for name, values in zip(NAMES, independent(cells, days), strict=True):
        # What the antibodies stay at is set where their switch flips, which falls inside a step.
        frozen = name.startswith("disease.")
        np.testing.assert_allclose(
            result[name],
            values,
            rtol=5e-3 if frozen else 2e-4,
            atol=1e-9 * values.max() + (1e-3 if not frozen else 0.0),
            err_msg=name,
        )


def test_a_hundredth_of_the_dose_lowers_the_peak_less_than_twofold() -> None:
    """Fig 6, Results 3.5: the peak comes later, and the B cells return all the same."""
    result = simulate(
        MODEL,
        therapy={
            "flu and cy": LYMPHODEPLETION,
            "cells": Dose("car_t", 7e7 * np.array([0.01, 1.0]), at=0.0),
        },
        stop=200.0,
        save_at=[200.0],
        outputs=["b_cells"],
        metrics={
            "peak": Maximum("car_t"),
            "day": TimeOfMaximum("car_t"),
            "half": FirstBelow("B_b", 0.5 * 1.43e8),
        },
        solver=FINE,
    )
    few, many = (float(value) for value in result["peak"])
    assert 1.5 < many / few < 2.0
    assert np.all(result["day"] > [12.0, 8.0])
    assert float(result["half"][0]) > 7.0
    assert float(result["half"][1]) < 1.0
    returned = result["b_cells"].to_numpy()[:, 0]
    assert returned[0] == pytest.approx(returned[1], rel=0.15)


def test_lymphopenia_and_b_cell_depletion_accompany_the_expansion() -> None:
    result = simulate(
        MODEL,
        therapy={"flu and cy": LYMPHODEPLETION, "cells": Dose("car_t", 7e7, at=0.0)},
        stop=730.0,
        save_at=[9.0, 365.0, 730.0],
        outputs=["B_b", "B_rev", "car_t", "sledai_C3"],
        metrics={
            "peak": TimeOfMaximum("car_t"),
            "lymphopenia": TimeOfMinimum("host.CD8"),
            "neutropenia": TimeOfMinimum("host.NT"),
        },
        on_failure="raise",
    )
    assert abs(float(result["peak"]) - float(result["neutropenia"])) < 3.0
    assert float(result["lymphopenia"]) < float(result["peak"])
    # Autoreactive B cells are gone at the peak; those that come back are naive.
    assert float(result["B_b"][0]) < 1e4
    assert np.all(result["B_b"][1:] < 1.0)
    assert np.all(np.diff(result["B_rev"]) > 0.0)
    assert 200e6 < float(result["B_rev"][2]) < 900e6
    assert 4.0 < float(result["sledai_C3"][2]) < 8.0


def test_without_lymphodepletion_the_patients_own_cells_rest() -> None:
    names = [f"host.{name}" for name in HOST]
    result = simulate(
        MODEL,
        therapy={"cells": Dose("car_t", 7e7, at=0.0)},
        stop=100.0,
        save_at=[0.0, 100.0],
        outputs=names,
        solver=FINE,
    )
    for name in names:
        assert float(result[name][1]) == pytest.approx(float(result[name][0]), rel=1e-8)
    assert float(result["host.CD4"][0]) == pytest.approx(210.18 / 1.02)


def test_complement_settles_where_the_antibodies_put_it() -> None:
    """C3_0 (AAb_0 / AAb)^gam_C3, whatever the antibodies are."""
    result = simulate(
        MODEL,
        therapy={"flu and cy": LYMPHODEPLETION, "cells": Dose("car_t", 7e7, at=0.0)},
        stop=300.0,
        save_at=[300.0],
        outputs=["disease.C3", "disease.AAb"],
    )
    expected = 555.0 * (4.7e5 / float(result["disease.AAb"][0])) ** 0.1
    assert float(result["disease.C3"][0]) == pytest.approx(expected, rel=1e-6)


def test_a_heavier_patient_has_more_blood() -> None:
    """The same cells per kg give the same concentrations."""
    result = simulate(
        MODEL,
        parameters={"cart.WT": np.array([35.0, 70.0])},
        therapy={
            "flu and cy": Dose("lymphodepletion", 1935.0 * np.array([0.5, 1.0]), at=0.0),
            "cells": Dose("car_t", 7e7 * np.array([0.5, 1.0]), at=0.0),
        },
        stop=60.0,
        save_at=[5.0, 20.0, 60.0],
        outputs=["car_t", "b_cells", "host.NT"],
        solver=FINE,
    )
    for name in ("car_t", "b_cells", "host.NT"):
        np.testing.assert_allclose(result[name][0], result[name][1], rtol=1e-6)
