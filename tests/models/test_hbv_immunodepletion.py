"""HBV under prescribed depletion: steady states, the prototype's courses, published facts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr

from carsim.metrics import FirstAbove, Maximum, TimeOfMaximum, ValueAt
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Item, Window
from carsim_models.hbv_immunodepletion import MODEL

PHASES = list(MODEL.variants)
CHRONIC = PHASES[:4]
FINE = Solver(rtol=1e-8)
DEPLETED = {"depletion": Window("drivers.depletion", value=1.0 / 3.0, start=-5.0, stop=-2.0)}
# What the prototype had before the calibration. Its steroid: G = 1, half of the full effect.
PROTOTYPE = {
    "hbv.kappa": 0.8,
    "hbv.s_GC": 1.5,
    "hbv.k_GC": 0.2,
    "hbv.alpha": 0.1,
    "hbv.k_share": 0.3,
    "hbv.K_Ab": 1.0,
}
RESOLVED = {"hbv.E_0": 2.0, "hbv.C_0": 3.0}
PROTOTYPE_OF_A_PHASE: Mapping[str, Mapping[str, float]] = {
    "inactive_carrier": {"hbv.f_mem": 0.3},
    "resolved_anti_hbs": RESOLVED,
    "resolved_no_anti_hbs": RESOLVED,
}
STEROID = {"steroid": Window("drivers.steroid", value=0.5, start=5.0, stop=12.0)}


def antiviral(start: float, stop: float, share: float = 0.998) -> dict[str, Item]:
    return {"antiviral": Window("drivers.blocked", value=share, start=start, stop=stop)}


EARLY, LONG = antiviral(-7.0, 30.0), antiviral(-7.0, 365.0)
ORACLE: list[tuple[str, Mapping[str, Item], list[float], float | None, int | None]] = [
    # phase, drug, log10 IU/mL on days 0, 30, 90, 180, 364, 545; peak from day -5 on, and its day
    ("hbeag_positive_hepatitis", {}, [7.74, 7.89, 7.91, 7.89, 7.80, 7.73], 7.91, 85),
    ("hbeag_positive_hepatitis", LONG, [5.73, 4.42, 3.81, 3.19, 2.29, 7.80], None, None),
    ("hbeag_negative_hepatitis", {}, [6.10, 6.73, 6.63, 6.24, 6.08, 6.03], 6.75, 41),
    ("hbeag_negative_hepatitis", EARLY, [4.02, 2.14, 6.81, 6.32, 6.08, 6.03], 6.81, 87),
    ("hbeag_negative_hepatitis", LONG, [4.02, 2.14, 1.12, 0.66, 0.49, 5.92], 6.74, 437),
    ("inactive_carrier", {}, [2.60, 3.98, 4.28, 1.59, 2.58, 2.66], 4.83, 66),
    ("inactive_carrier", STEROID, [2.60, 4.65, 6.08, 0.57, 1.97, 2.57], 6.25, 77),
    ("inactive_carrier", EARLY, [0.49, -1.63, 4.32, 1.32, 1.91, 2.40], 4.84, 113),
    ("inactive_carrier", LONG, [0.49, -1.63, -2.84, -3.10, -3.28, 1.44], 3.71, 449),
    ("resolved_anti_hbs", {}, [-2.15, -1.65, -1.80, -2.17, -2.55, -2.70], -1.65, 36),
    ("resolved_no_anti_hbs", {}, [-1.98, -0.74, 0.07, -0.66, -2.17, -2.38], 0.10, 106),
    ("resolved_weak", {}, [-0.17, 1.31, 3.61, 3.71, 2.15, 0.58], 4.47, 134),
    ("resolved_weak", STEROID, [-0.17, 2.02, 4.67, 3.01, 2.09, 0.57], 4.88, 106),
]


def run(phase: str, therapy: Mapping[str, Item]) -> xr.Dataset:
    return simulate(
        MODEL,
        variants=[phase],
        parameters={**PROTOTYPE, **PROTOTYPE_OF_A_PHASE.get(phase, {})},
        therapy={**DEPLETED, **therapy},
        start=-14.0,
        stop=560.0,
        save_at=[0.0, 30.0, 90.0, 180.0, 364.0, 545.0],
        outputs=["log10_hbv_dna", "hbsag", "alt"],
        metrics={
            "peak": Maximum("log10_hbv_dna", -5.0, 560.0),
            "peak_day": TimeOfMaximum("log10_hbv_dna", -5.0, 560.0),
            "alt_peak": Maximum("alt"),
            "alt_day": TimeOfMaximum("alt"),
        },
        solver=FINE,
        on_failure="raise",
    )


@pytest.mark.parametrize(("phase", "drug", "course", "peak", "day"), ORACLE)
def test_prototype(
    phase: str,
    drug: Mapping[str, Item],
    course: list[float],
    peak: float | None,
    day: int | None,
) -> None:
    result = run(phase, drug)
    # Two decimals are printed; the resolved start is 0.1 to 1 % off the prototype's, which left
    # the proliferation of infected cells out of it.
    np.testing.assert_allclose(result["log10_hbv_dna"], course, atol=0.02)
    if peak is not None:
        assert float(result["peak"]) == pytest.approx(peak, abs=0.02)
    if day is not None:
        assert float(result["peak_day"]) == pytest.approx(day, abs=1.5)


@pytest.mark.parametrize(
    ("drug", "peak", "day"),
    [({}, 176.0, 89.0), (EARLY, 183.0, 131.0), (LONG, 200.0, 454.0)],
    ids=["untreated", "30 days", "365 days"],
)
def test_flare_follows_the_return_of_t_cells(
    drug: Mapping[str, Item], peak: float, day: float
) -> None:
    """ALT peaks when effectors are back, after the virus has peaked, also after stopping a drug."""
    result = run("hbeag_negative_hepatitis", drug)
    assert float(result["alt_peak"]) == pytest.approx(peak, rel=0.01)
    assert float(result["alt_day"]) == pytest.approx(day, abs=2.0)
    assert float(result["alt_day"]) > float(result["peak_day"])


def test_weak_control_brings_surface_antigen_back() -> None:
    result = simulate(
        MODEL,
        variants=["resolved_weak"],
        parameters=PROTOTYPE,
        therapy=DEPLETED,
        start=-14.0,
        stop=200.0,
        save_at=[0.0],
        metrics={"hbsag_peak": Maximum("hbsag")},
    )
    assert float(result["hbsag"][0]) < 0.05  # limit of detection
    assert float(result["hbsag_peak"]) == pytest.approx(1.2, rel=0.1)


@pytest.mark.parametrize("phase", PHASES)
def test_steady_state(phase: str) -> None:
    y, p = MODEL.initial_state(MODEL.parameter_values(variants=[phase]))
    change = np.array(MODEL.derivatives(-10.0, y[0], p[0]), dtype=np.float64)
    steady = np.abs(change) <= 1e-12 * np.abs(y[0])
    decaying = MODEL.state_index["hbv.silenced"]
    if phase not in CHRONIC:
        # The silenced cells of a resolved patient are given; they die with lambda_C.
        steady[decaying] = np.abs(change[decaying]) <= 3e-4 * y[0, decaying]
    assert steady.all(), dict(zip(MODEL.state_names, change, strict=True))


@pytest.mark.parametrize("phase", PHASES)
def test_untreated_patient_stays_put(phase: str) -> None:
    result = simulate(
        MODEL,
        variants=[phase],
        parameters={"drivers.t_depletion": 1e5, "drivers.t_recovery": 1e5},
        stop=100.0,
        save_at=[0.0, 100.0],
        outputs=["hbv_dna", "hbsag", "alt", "anti_hbs", "infected_fraction"],
    )
    drift = 1e-6 if phase in CHRONIC else 0.03  # lambda_C takes 2 % in 100 days
    for name in ("hbv_dna", "hbsag", "alt", "anti_hbs", "infected_fraction"):
        first, last = result[name].to_numpy()
        assert last == pytest.approx(first, rel=drift, abs=1e-12), name


@pytest.mark.parametrize("phase", PHASES)
def test_targets_are_met(phase: str) -> None:
    values = MODEL.variants[phase].values
    result = simulate(MODEL, variants=[phase], start=-14.0, stop=-13.0, save_at=[-14.0])
    if values["hbv.dna_0"][0] > 0.0:
        assert float(result["hbv_dna"][0]) == pytest.approx(values["hbv.dna_0"][0])
        assert float(result["hbsag"][0]) == pytest.approx(values["hbv.hbsag_0"][0])
        assert float(result["alt"][0]) == pytest.approx(values["hbv.alt_0"][0], rel=1e-4)
    assert float(result["anti_hbs"][0]) == pytest.approx(values["hbv.anti_hbs_0"][0])


def test_many_patients_at_once() -> None:
    """Targets drawn over the plausible ranges have an exact steady state or none."""
    rng = np.random.default_rng(7)
    n = 2000
    drawn = {
        "hbv.dna_0": 10.0 ** rng.uniform(0.0, 9.0, n),
        "hbv.f_I": rng.uniform(0.02, 0.9, n),
        "hbv.alt_0": rng.uniform(20.0, 200.0, n),
        "hbv.beta_p": 1.22e-8 * np.exp(0.25 * rng.standard_normal(n)),
        "hbv.r": np.exp(rng.uniform(np.log(0.3), np.log(3.0), n)),
        "hbv.theta": 10.0 ** rng.uniform(-4.0, -2.0, n),
        "hbv.a_0": 10.0 ** rng.uniform(-5.0, -3.0, n),
        "hbv.anti_hbs_0": np.where(rng.uniform(size=n) < 0.2, 1.0, 0.0),
    }
    y, p = MODEL.initial_state(MODEL.parameter_values(drawn))
    possible = np.isfinite(y).all(axis=1) & np.isfinite(p).all(axis=1)
    assert 0.3 < possible.mean() < 1.0
    change = np.array(MODEL.derivatives(-10.0, list(y.T), list(p.T)))[:, possible].T
    scale = np.maximum(np.abs(y[possible]), 1e-300)
    assert np.max(np.abs(change) / scale) < 1e-12
    for name in ("k", "rho", "s_E", "K_E"):
        assert (p[possible, MODEL.parameter_index[f"hbv.{name}"]] >= 0.0).all(), name


def test_an_impossible_patient_ends_with_a_status() -> None:
    """ALT of 5000 with a tenth of the liver infected: no effector kills that many cells."""
    result = simulate(
        MODEL,
        variants=["hbeag_negative_hepatitis"],
        parameters={"hbv.alt_0": np.array([80.0, 5000.0])},
        stop=10.0,
        save_at=[10.0],
    )
    assert int(result["status"][0]) == 0
    assert int(result["status"][1]) != 0
    assert np.isnan(result["hbv_dna"][1]).all()


def test_acute_infection_grows_and_peaks_as_in_whalley_2001() -> None:
    """Doubling 3.7 d (2.2 to 5.8), peak about 1e10 copies/mL, nearly the whole liver infected."""
    result = simulate(
        MODEL,
        variants=["uninfected"],
        parameters={"hbv.E_0": 1e-9},
        initial={"hbv.infected": 1e-3, "hbv.virus": 0.3},
        start=0.0,
        stop=200.0,
        save_at=[20.0, 40.0],
        outputs=["hbv.virus"],
        metrics={
            "peak": Maximum("hbv.virus"),
            "infected": Maximum("infected_fraction"),
        },
        solver=FINE,
    )
    growth = float(np.log(result["hbv.virus"][1] / result["hbv.virus"][0])) / 20.0
    assert np.log(2.0) / growth == pytest.approx(3.7, abs=0.5)
    assert float(np.log10(result["peak"])) == pytest.approx(9.5, abs=0.5)
    assert float(result["infected"]) > 0.95


@pytest.mark.parametrize(
    ("phase", "share", "falls"),
    [
        ("hbeag_positive_hepatitis", 0.998, [2.64, 3.67, 5.05, 5.63, 5.63]),
        ("hbeag_positive_hepatitis", 0.9995, [2.83, 4.28, 5.66, 6.24, 6.24]),
        ("hbeag_negative_hepatitis", 0.998, [2.75, 4.62, 5.97, 5.69, 5.60]),
    ],
)
def test_antiviral_without_depletion(phase: str, share: float, falls: list[float]) -> None:
    """Prototype; published for HBeAg-positive hepatitis: -6.2 at week 12, -6.9 at week 48."""
    result = simulate(
        MODEL,
        variants=[phase],
        parameters={**PROTOTYPE, "drivers.t_depletion": 1e5, "drivers.t_recovery": 1e5},
        therapy=antiviral(0.0, 400.0, share),
        start=-1.0,
        stop=336.0,
        save_at=[-1.0, 10.0, 28.0, 84.0, 168.0, 336.0],
        outputs=["log10_hbv_dna", "hbsag"],
        solver=FINE,
    )
    course = result["log10_hbv_dna"].to_numpy()
    np.testing.assert_allclose(course[0] - course[1:], falls, atol=0.02)


def test_anti_hbs_stops_spread() -> None:
    """Doubling time of the virus without effectors: 39 d at 10 mIU/mL, none from 61 on."""
    antibody = np.array([0.0, 10.0, 30.0, 100.0])
    result = simulate(
        MODEL,
        variants=["uninfected"],
        parameters={"hbv.E_0": 1e-9, "hbv.anti_hbs_0": antibody, "hbv.K_Ab": 1.0},
        initial={"hbv.infected": 1e-3, "hbv.virus": 0.3},
        start=0.0,
        stop=120.0,
        save_at=[60.0, 120.0],
        outputs=["hbv.virus"],
        metrics={"early": FirstAbove("hbv_dna", 10.0), "v": ValueAt("hbv_dna", 60.0)},
        solver=FINE,
    )
    virus = result["hbv.virus"].to_numpy()
    growth = np.log(virus[:, 1] / virus[:, 0]) / 60.0
    # The prototype's figures assume r_I q = 0; the infected cells also proliferate a little.
    np.testing.assert_allclose(np.log(2.0) / growth[1:3], [38.9, 177.0], rtol=0.25)
    assert growth[3] < 0.0
