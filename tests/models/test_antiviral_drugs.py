"""Nucleoside analogues driving the two-phase decline."""

from __future__ import annotations

import numpy as np
import pytest

from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose
from carsim_models.antiviral_drugs import MODEL
from carsim_models.cart_hbv.antivirals import ANTIVIRALS

FINE = Solver(rtol=1e-8)
DRUGS = [variant.name for variant in ANTIVIRALS]


def test_the_three_drugs_exclude_each_other() -> None:
    assert DRUGS == ["entecavir", "lamivudine", "tenofovir"]
    assert {MODEL.variants[name].group for name in DRUGS} == {"antiviral"}


def test_untreated_steady_state() -> None:
    y, p = MODEL.initial_state(MODEL.parameter_values())
    change = np.array(MODEL.derivatives(0.0, y[0], p[0]))
    np.testing.assert_allclose(change[:3] / y[0, :3], 0.0, atol=1e-12)
    np.testing.assert_array_equal(change[3:], 0.0)


def fall(drug: str, mg: float = 0.5, **parameters: float) -> np.ndarray:
    days = np.linspace(0.0, 84.0, 169)
    result = simulate(
        MODEL,
        variants=[drug],
        parameters=dict(parameters),
        therapy={"tablets": Dose("entecavir", mg, 0.0, every=1.0)},
        stop=84.5,
        save_at=days,
        outputs=["log10_hbv_dna"],
        solver=FINE,
    )
    virus = result["log10_hbv_dna"].to_numpy()
    return np.asarray(virus - virus[0])


@pytest.mark.parametrize(
    ("drug", "potency"), [("entecavir", 2.7), ("lamivudine", 1.52), ("tenofovir", 2.5)]
)
def test_the_potency_is_the_depth_of_the_first_phase(drug: str, potency: float) -> None:
    """Second phase drawn back to day 0, less what building up the triphosphate costs."""
    change = fall(drug, **{"infection.eta": 1.0})
    slope = (change[100] - change[-1]) / 34.0
    assert slope == pytest.approx(0.0963 / np.log(10.0), rel=0.03)
    first = -(change[-1] + 84.0 * slope)
    # c/(c - delta) belongs to the closed form.
    assert first == pytest.approx(potency - np.log10(0.67 / (0.67 - 0.0963)), abs=0.15)


def test_entecavir_falls_fastest_and_lamivudine_least() -> None:
    last = {drug: fall(drug)[-1] for drug in DRUGS}
    assert last["entecavir"] < last["tenofovir"] < last["lamivudine"] - 1.0


def test_a_lower_dose_lowers_the_virus_less() -> None:
    """Published for 28 days (de Man 2001): 0.05 mg -2.21, 0.5 mg -2.81."""
    low, usual = fall("entecavir", 0.05)[56], fall("entecavir", 0.5)[56]
    assert usual < low - 0.5
    assert low == pytest.approx(-2.21, abs=0.5)


def test_slow_turnover_of_the_active_form_outlasts_the_last_tablet() -> None:
    """Tenofovir's active form has a half-life of 4 d, entecavir's of 15 h."""
    result = {
        drug: simulate(
            MODEL,
            variants=[drug],
            # Nothing of the drug lingers in plasma, so that only the active form does.
            parameters={"entecavir.Q": 0.0},
            therapy={"tablets": Dose("entecavir", 0.5, 0.0, every=1.0, until=28.0)},
            stop=40.0,
            save_at=[28.0, 32.0, 36.0],
            outputs=["entecavir.triphosphate"],
            solver=FINE,
        )["entecavir.triphosphate"].to_numpy()
        for drug in ("entecavir", "tenofovir")
    }
    for drug, half_life in (("entecavir", 15.0 / 24.0), ("tenofovir", 4.0)):
        _, early, late = result[drug]
        assert 4.0 / np.log2(early / late) == pytest.approx(half_life, rel=0.01), drug


def test_a_resistant_virus_rebounds_under_lamivudine() -> None:
    """A hundredfold EC_50 leaves nearly all production: the virus comes back."""
    held, resistant = fall("lamivudine"), fall("lamivudine", **{"entecavir.fold_resistance": 100.0})
    assert held[-1] < -4.0
    assert resistant[-1] > -0.5


def test_new_infection_matters_under_the_weaker_drug() -> None:
    """0.1 decades in 12 weeks of entecavir; under lamivudine the second phase is a fifth slower."""
    free, blocked = fall("entecavir"), fall("entecavir", **{"infection.eta": 1.0})
    assert free[-1] - blocked[-1] == pytest.approx(0.10, abs=0.02)
    free, blocked = fall("lamivudine"), fall("lamivudine", **{"infection.eta": 1.0})
    slower = (free[100] - free[-1]) / (blocked[100] - blocked[-1])
    assert slower == pytest.approx(0.82, abs=0.03)
