"""The flagship: its names, and the direction and size of every coupling, one patient at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from carsim.metrics import AreaUnder, Maximum, Minimum, TimeOfMaximum, ValueAt
from carsim.population import named_population
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose, Infusion, Item, Window
from carsim_models.cart_b_all import MODEL as CAR_T_SIDE
from carsim_models.cart_hbv import MODEL

FINE = Solver(rtol=1e-7)
PHASES = [name for name, variant in MODEL.variants.items() if variant.group == "hbv"]
STANDARD: Mapping[str, Item] = {
    "conditioning": Dose("lymphodepletion", 1.0, [-5.0, -4.0, -3.0]),
    "infusion": Dose("car_t", 7e7, 0.0),
}
STEROID = {"steroid": Dose("dexamethasone", 10.0, 5.0, every=0.25, count=16)}


def entecavir(start: float, stop: float) -> dict[str, Item]:
    """0.5 mg a day, as its constant average."""
    return {"entecavir": Infusion("entecavir", start, stop=stop, rate=0.5)}


def run(
    therapy: Mapping[str, Item] = STANDARD,
    variants: Sequence[str] = ("inactive_carrier",),
    parameters: Mapping[str, float | np.ndarray[tuple[int], np.dtype[np.float64]]] | None = None,
    stop: float = 545.0,
) -> xr.Dataset:
    return simulate(
        MODEL,
        variants=list(variants),
        parameters=parameters or {},
        therapy=therapy,
        start=-14.0,
        stop=stop,
        outputs=[*MODEL.observable_names, "hbv.effector"],
        metrics={
            "hbv_peak": Maximum("log10_hbv_dna"),
            "hbv_peak_day": TimeOfMaximum("log10_hbv_dna"),
            "hbv_area": AreaUnder("hbv_dna", -14.0, min(stop, 180.0)),
            "effector_least": Minimum("hbv.effector"),
            "anti_hbs_365": ValueAt("anti_hbs", min(stop, 365.0)),
            "competence_28": ValueAt("immune_competence", 28.0),
        },
        solver=FINE,
        on_failure="raise",
    )


def test_units() -> None:
    assert MODEL.check_units() == []


def test_names_that_configurations_rely_on() -> None:
    groups = dict.fromkeys(name.split(".")[0] for name in MODEL.parameter_names)
    assert set(groups) == {
        "cart",
        "leukemia",
        "b_cell",
        "cure",
        "t_cell",
        "cytokine",
        "tocilizumab",
        "dexamethasone",
        "hbv",
        "entecavir",
    }
    expected = [
        "car_t",
        "car_t_total",
        "leukemia",
        "leukemia_cd19_positive",
        "leukemia_cd19_negative",
        "b_cells",
        "igg",
        "t_cells",
        "il6",
        "il6_signal",
        "crs_grade",
        "crp",
        "ferritin",
        "ifn_gamma",
        "tocilizumab",
        "dexamethasone",
        "entecavir",
        "antiviral_efficacy",
        "entecavir_resistance_hazard",
        "immune_competence",
        "hbv_dna",
        "log10_hbv_dna",
        "hbsag",
        "hbeag",
        "alt",
        "anti_hbs",
        "infected_fraction",
        "lymphodepletion",
    ]
    assert set(expected) <= set(MODEL.observable_names)
    assert set(MODEL.routes) == {
        "car_t",
        "lymphodepletion",
        "vaccine",
        "anti_cd20",
        "tocilizumab",
        "dexamethasone",
        "entecavir",
        "ivig",
    }
    products = [name for name, variant in MODEL.variants.items() if variant.group == "product"]
    assert products == ["19-BBz", "19-28z", "1928zT2"]
    antivirals = [name for name, each in MODEL.variants.items() if each.group == "antiviral"]
    assert antivirals == ["entecavir", "lamivudine", "tenofovir"]
    assert PHASES == [
        "hbeag_positive_infection",
        "hbeag_positive_hepatitis",
        "hbeag_negative_hepatitis",
        "inactive_carrier",
        "resolved_anti_hbs",
        "resolved_no_anti_hbs",
        "resolved_weak",
        "uninfected",
    ]
    assert {"leukemia.initial_cells", "cart.engraftment", "hbv.dna_0"} <= set(MODEL.parameter_names)


def test_car_t_side_is_the_same_as_alone() -> None:
    """Nothing leads from the virus to the CAR-T side."""
    outputs = ["car_t", "b_cells", "il6", "leukemia_cd19_negative"]
    both = [
        simulate(
            model,
            therapy={**STANDARD, **STEROID},
            start=-14.0,
            stop=200.0,
            save_at=np.arange(-14.0, 201.0, 7.0),
            outputs=outputs,
            solver=Solver(rtol=1e-9),
        )
        for model in (MODEL, CAR_T_SIDE)
    ]
    for name in outputs:
        np.testing.assert_allclose(both[0][name], both[1][name], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("phase", PHASES)
def test_patient_without_therapy_stays_put(phase: str) -> None:
    result = simulate(
        MODEL,
        variants=[phase],
        parameters={"leukemia.initial_cells": 0.0},
        stop=100.0,
        save_at=[0.0, 100.0],
        outputs=["log10_hbv_dna", "hbsag", "alt", "anti_hbs", "igg", "t_cells", "il6", "b_cells"],
        solver=FINE,
    )
    for name, values in result.data_vars.items():
        if "time" in values.dims:
            first, last = values.to_numpy()
            # The silenced cells of a resolved patient decay by 2 % in 100 days.
            drift = 0.03 if phase.startswith("resolved") else 1e-6
            assert last == pytest.approx(first, rel=drift, abs=1e-8), name


def test_deeper_lymphodepletion_lets_the_virus_higher() -> None:
    for infusion in ({}, {"infusion": STANDARD["infusion"]}):
        peaks = []
        for depth in (0.5, 1.0, 2.0):
            conditioning = Dose("lymphodepletion", depth, [-5.0, -4.0, -3.0])
            peaks.append(float(run({"conditioning": conditioning, **infusion})["hbv_peak"]))
        assert peaks[0] < peaks[1] < peaks[2]
        assert peaks[2] - peaks[0] > 2.0


def test_standard_lymphodepletion_has_its_stated_effect() -> None:
    """Effectors without source lose exp(-kappa), competence exp(-kappa_L), in a standard course."""
    result = simulate(
        MODEL,
        variants=["uninfected"],
        parameters={
            "hbv.kappa": 0.7,
            "hbv.d_E": 1e-9,
            "t_cell.kappa_L": 0.9,
            "t_cell.tau_L": 1e9,
        },
        therapy={"conditioning": STANDARD["conditioning"]},
        start=-14.0,
        stop=30.0,
        save_at=[-14.0, 30.0],
        outputs=["hbv.effector", "t_cell.competence"],
        solver=FINE,
    )
    for name, loss in (("hbv.effector", 0.7), ("t_cell.competence", 0.9)):
        first, last = result[name].to_numpy()
        assert np.log(first / last) == pytest.approx(loss, abs=1e-5)


def test_dexamethasone_raises_the_virus() -> None:
    without, with_steroid = run(), run({**STANDARD, **STEROID})
    assert float(with_steroid["hbv_peak"]) > float(without["hbv_peak"]) + 0.3
    assert float(with_steroid["effector_least"]) < float(without["effector_least"])


def test_tocilizumab_raises_the_virus_a_little() -> None:
    """It undoes the suppression by IL-6, for days."""
    without = run()
    result = run({**STANDARD, "tocilizumab": Dose("tocilizumab", 560.0, 6.0)})
    assert 0.0 < float(result["hbv_peak"] - without["hbv_peak"]) < 0.3


@pytest.mark.parametrize("phase", PHASES[:4])
def test_entecavir_suppresses_the_virus(phase: str) -> None:
    result = run({**STANDARD, **entecavir(-7.0, 365.0)}, [phase])
    course = result["log10_hbv_dna"]
    fall = float(course.sel(time=-14.0) - course.sel(time=28.0, method="nearest"))
    assert 2.5 < fall < 5.0
    treated = course.sel(time=slice(0.0, 365.0))
    assert float(treated.max()) < float(course.sel(time=-14.0)) - 1.5


def test_virus_returns_when_entecavir_stops() -> None:
    hit = {"hbv.kappa": 1.0}  # harder than the typical patient
    early = run({**STANDARD, **entecavir(-7.0, 30.0)}, parameters=hit)
    none = run(parameters=hit)
    before = float(none["log10_hbv_dna"][0])
    assert float(none["hbv_peak_day"]) + 14.0 < float(early["hbv_peak_day"])
    assert float(early["hbv_peak_day"]) > 60.0
    assert float(early["hbv_peak"]) > before + 0.5


def courses(result: xr.Dataset, *names: str) -> list[NDArray[np.float64]]:
    return [result[name].to_numpy() for name in names]


def test_alt_peaks_after_the_effectors_are_back_while_dna_already_falls() -> None:
    """Hepatitis is reconstitution: seen after prednisone withdrawal (Perrillo 1986)."""
    hit = {"hbv.kappa": 1.8, "t_cell.kappa_L": 2.5}
    for phase in ("inactive_carrier", "hbeag_negative_hepatitis"):
        result = run({**STANDARD, **STEROID}, [phase], hit)
        alt, dna, effector = courses(result, "alt", "hbv_dna", "hbv.effector")
        peak, top = int(alt.argmax()), int(dna.argmax())
        assert alt[peak] > 1.5 * alt[0]
        assert top < peak
        assert dna[peak] < dna[top]
        assert effector[peak] > 1.3 * effector[: peak + 1].min()


def test_stopping_the_antiviral_is_followed_by_a_flare() -> None:
    result = run({**STANDARD, **entecavir(-7.0, 365.0)}, ["hbeag_negative_hepatitis"])
    late = result["time"].to_numpy() > 365.0
    alt, dna = courses(result, "alt", "hbv_dna")
    assert alt[late].max() > 1.5 * alt[~late].max()
    assert dna[late].max() > 1e3 * dna[~late][-1]


def test_anti_hbs_protects_the_resolved() -> None:
    """Li 2021: reactivation in 2 of 9 without and 0 of 21 with anti-HBs, none treated."""
    # A patient hit harder than most, with many silenced cells.
    weak = {"hbv.kappa": 2.0, "t_cell.kappa_L": 2.0, "hbv.C_0": 30.0, "hbv.E_0": 2.0}
    peaks = {
        antibody: float(
            run(
                variants=["resolved_no_anti_hbs"],
                parameters={**weak, "hbv.anti_hbs_0": antibody},
            )["hbv_peak"]
        )
        for antibody in (0.0, 10.0, 100.0)
    }
    assert peaks[0.0] > peaks[10.0] > peaks[100.0]
    assert peaks[0.0] > 2.0
    assert peaks[100.0] < peaks[0.0] - 2.0


def test_anti_hbs_outlives_b_cells() -> None:
    """Specific IgG is kept after CD19 CAR-T cells: the fall is at most the short-lived share."""
    result = run(variants=["resolved_anti_hbs"])
    assert float(result["b_cells"].sel(time=60.0, method="nearest")) < 10.0
    assert 80.0 < float(result["anti_hbs_365"]) < 95.0


def test_ivig_brings_anti_hbs() -> None:
    given = {**STANDARD, "ivig": Dose("ivig", 4.0, 100.0)}
    with_ivig, without = run(given), run()
    rise = with_ivig["anti_hbs"] - without["anti_hbs"]
    assert float(rise.sel(time=102.0, method="nearest")) == pytest.approx(37.0, abs=3.0)


def test_uninfected_patient_never_shows_virus() -> None:
    result = run({**STANDARD, **STEROID}, ["uninfected"])
    assert float(result["hbv_dna"].max()) == 0.0
    assert float(result["log10_hbv_dna"].max()) == pytest.approx(-4.92, abs=0.01)


def test_immune_recovery() -> None:
    """T cells are back within weeks, what they can do within a year."""
    result = run()
    cells = result["t_cells"]
    assert float(cells.sel(time=0.0)) < 50.0
    assert float(cells.sel(time=28.0)) > 400.0
    competence = result["immune_competence"]
    assert float(competence.sel(time=-14.0)) == pytest.approx(1.0)
    assert float(competence.sel(time=0.0)) < 0.2
    assert 0.4 < float(result["competence_28"]) < 0.6
    assert float(competence.sel(time=365.0, method="nearest")) > 0.85


def test_entecavir_pharmacokinetics() -> None:
    """Label, 0.5 mg: Cmax 4.2 and trough 0.3 ng/mL after 6 to 10 days, half-life 128 to 149 h."""
    doses: dict[str, Item] = {"entecavir": Dose("entecavir", 0.5, 0.0, every=1.0, until=14.0)}
    times = np.r_[np.linspace(0.0, 1.0, 241), np.linspace(13.0, 14.0, 241), 40.0, 45.0]
    result = simulate(
        MODEL,
        parameters={"leukemia.initial_cells": 0.0},
        therapy=doses,
        stop=50.0,
        save_at=times,
        outputs=["entecavir", "antiviral_efficacy"],
        solver=FINE,
    )
    plasma = result["entecavir"].to_numpy()
    first, steady = plasma[:241], plasma[241:482]
    day = times[241:482]
    assert steady.max() == pytest.approx(4.2, rel=0.1)
    assert steady[-1] == pytest.approx(0.3, rel=0.1)
    assert np.trapezoid(steady, 24.0 * day) == pytest.approx(14.8, rel=0.1)
    assert 24.0 * (day[np.argmax(steady)] - 13.0) == pytest.approx(0.7, abs=0.3)
    half_life = 24.0 * 5.0 * np.log(2.0) / np.log(plasma[-2] / plasma[-1])
    assert 128.0 < half_life < 149.0
    at_last = 500.0 / 772.8  # area of a day at steady state: dose over clearance, ug*day/L
    assert at_last / np.trapezoid(first, times[:241]) == pytest.approx(2.0, rel=0.1)


def test_potency_is_the_effect_of_the_standard_dose() -> None:
    result = simulate(
        MODEL,
        parameters={"entecavir.potency": np.array([2.5, 3.0])},
        therapy=entecavir(0.0, 200.0),
        stop=200.0,
        save_at=[199.0],
        outputs=["antiviral_efficacy"],
        solver=FINE,
    )
    left = 1.0 - result["antiviral_efficacy"].to_numpy()[:, 0]
    np.testing.assert_allclose(np.log10(left), [-2.5, -3.0], atol=1e-3)


YEAR = 365.25
DEFAULTS = dict(zip(MODEL.parameter_names, MODEL.parameter_values()[0].tolist(), strict=True))


def treated(
    parameters: Mapping[str, float | np.ndarray[tuple[int], np.dtype[np.float64]]],
    therapy: Mapping[str, Item],
    times: Sequence[float],
    variants: Sequence[str] = ("inactive_carrier",),
) -> xr.Dataset:
    """A patient without leukemia and conditioning, who takes an antiviral."""
    stop = times[-1]
    return simulate(
        MODEL,
        variants=list(variants),
        parameters={"leukemia.initial_cells": 0.0, **parameters},
        therapy=therapy,
        stop=stop,
        save_at=times,
        outputs=["antiviral_efficacy", "entecavir_resistance_hazard", "log10_hbv_dna"],
        metrics={"cumulative": AreaUnder("entecavir_resistance_hazard", 0.0, stop)},
        solver=FINE,
        on_failure="raise",
    )


def test_resistance_shifts_the_ec_50() -> None:
    """At steady state the share left is 1/(1 + (10^potency - 1)/fold)."""
    fold = np.array([1.0, 3.0, 30.0, 1000.0])
    result = treated({"entecavir.fold_resistance": fold}, entecavir(0.0, 200.0), [199.0, 200.0])
    left = 1.0 - result["antiviral_efficacy"].to_numpy()[:, 0]
    np.testing.assert_allclose(left, 1.0 / (1.0 + (10.0**2.7 - 1.0) / fold), rtol=1e-3)
    # The hazard is that of the first resistance: it does not know what the virus is now.
    hazard = result["entecavir_resistance_hazard"].to_numpy()[:, 0]
    np.testing.assert_allclose(hazard, hazard[0], rtol=1e-9)


def test_resistance_may_set_in_while_the_simulation_runs() -> None:
    given = entecavir(0.0, 300.0)
    resistant = {**given, "resistance": Window("entecavir.fold_resistance", value=300.0, start=150)}
    wild, mutant = (
        treated({}, therapy, [0.0, 149.0, 170.0, 300.0], ["hbeag_negative_hepatitis"])
        for therapy in (given, resistant)
    )
    np.testing.assert_allclose(mutant["log10_hbv_dna"][:2], wild["log10_hbv_dna"][:2], atol=1e-6)
    left = 1.0 - float(mutant["antiviral_efficacy"][2])
    assert left == pytest.approx(1.0 / (1.0 + (10.0**2.7 - 1.0) / 300.0), rel=1e-3)
    assert float(mutant["log10_hbv_dna"][3] - wild["log10_hbv_dna"][3]) > 2.0  # breakthrough


def test_resistance_hazard_needs_the_drug() -> None:
    none = treated({}, {}, [0.0, 100.0, 200.0])
    np.testing.assert_array_equal(none["entecavir_resistance_hazard"], 0.0)
    np.testing.assert_array_equal(none["antiviral_efficacy"], 0.0)
    result = treated(
        {"entecavir.potency": np.array([1.5, 2.7])}, entecavir(0.0, 200.0), [0.0, 199.0, 500.0]
    )
    hazard = result["entecavir_resistance_hazard"].to_numpy()
    efficacy = result["antiviral_efficacy"].to_numpy()
    rate = DEFAULTS["entecavir.resistance"]
    np.testing.assert_allclose(hazard, rate * efficacy, rtol=1e-9, atol=1e-20)
    np.testing.assert_allclose(
        hazard[:, 1], rate * (1.0 - 10.0 ** -np.array([1.5, 2.7])), rtol=1e-4
    )
    assert np.all(hazard[:, 2] < 0.01 * hazard[:, 1])


def test_resistance_within_five_years_is_that_of_naive_patients() -> None:
    """1.2 % (Tenney), of which the build-up of the drug and its efficacy take a little."""
    rate = DEFAULTS["entecavir.resistance"]
    assert rate == pytest.approx(-np.log(1.0 - 0.012) / (5.0 * YEAR), rel=1e-3)
    result = treated({}, entecavir(0.0, 5.0 * YEAR), [0.0, 5.0 * YEAR])
    assert 1.0 - np.exp(-float(result["cumulative"])) == pytest.approx(0.012, rel=0.01)


def test_lamivudine_is_weaker_and_fails_sooner() -> None:
    drugs = ("entecavir", "lamivudine")
    results = [
        treated({}, entecavir(0.0, YEAR), [0.0, 28.0, YEAR], ["hbeag_negative_hepatitis", drug])
        for drug in drugs
    ]
    default = treated({}, entecavir(0.0, YEAR), [0.0, 28.0, YEAR], ["hbeag_negative_hepatitis"])
    np.testing.assert_array_equal(results[0]["log10_hbv_dna"], default["log10_hbv_dna"])
    assert float(results[1]["antiviral_efficacy"][1]) == pytest.approx(0.97, abs=1e-3)
    falls = [float(each["log10_hbv_dna"][0] - each["log10_hbv_dna"][1]) for each in results]
    assert falls[0] - falls[1] > 0.7
    first_year = 1.0 - np.exp(-float(results[1]["cumulative"]))
    assert first_year == pytest.approx(0.24, abs=0.02)


def test_average_dose_stands_for_daily_doses() -> None:
    times = np.arange(28.0, 170.0, 14.0)
    daily: dict[str, Item] = {"entecavir": Dose("entecavir", 0.5, -7.0, every=1.0, until=365.0)}
    courses = [
        simulate(
            MODEL,
            variants=["hbeag_negative_hepatitis"],
            therapy={**STANDARD, **drug},
            start=-14.0,
            stop=170.0,
            save_at=times,
            outputs=["log10_hbv_dna"],
            solver=FINE,
        )["log10_hbv_dna"]
        for drug in (daily, entecavir(-7.0, 365.0))
    ]
    np.testing.assert_allclose(courses[0], courses[1], atol=0.05)


def test_tocilizumab_pharmacokinetics() -> None:
    """Mass balance of Frey 2010: what is not in the body was eliminated."""
    result = simulate(
        MODEL,
        therapy={"tocilizumab": Dose("tocilizumab", 560.0, 0.0)},
        stop=20.0,
        save_at=[0.0, 20.0],
        outputs=["tocilizumab", "tocilizumab.central", "tocilizumab.peripheral"],
        metrics={"auc": AreaUnder("tocilizumab")},
        solver=FINE,
    )
    assert float(result["tocilizumab"][0]) == pytest.approx(160.0)
    left = float(result["tocilizumab.central"][1] + result["tocilizumab.peripheral"][1])
    linear = 0.3 * float(result["auc"])
    saturable = 560.0 - left - linear
    assert 0.9 * 7.5 * 20.0 < saturable < 7.5 * 20.0


def test_il6_is_normal_before_therapy_and_without_effect_on_the_virus() -> None:
    y, p = MODEL.initial_state(MODEL.parameter_values())
    change = MODEL.derivatives(0.0, y[0], p[0])
    virus = MODEL.state_index["hbv.virus"]
    assert abs(change[virus]) < 1e-10 * y[0, virus]


def test_product_changes_persistence() -> None:
    courses = {
        product: run(variants=[product, "uninfected"], stop=200.0)["car_t"]
        for product in ("19-BBz", "19-28z", "1928zT2")
    }
    late = {name: float(course.sel(time=180.0)) for name, course in courses.items()}
    assert late["19-28z"] < late["1928zT2"] < late["19-BBz"]


def reactivated(therapy: Mapping[str, Item]) -> float:
    """Share of 400 inactive carriers with reactivation (AASLD 2018) in 24 months."""
    patients = named_population(MODEL, "adults_19_BBz", 400, 20201, infected_only=True)
    result = simulate(
        MODEL,
        population=patients.replace("serostatus", "HBsAg positive, inactive"),
        therapy=therapy,
        start=-14.0,
        stop=730.0,
        save_at=np.r_[-14.0, np.arange(0.0, 731.0, 28.0)],
        outputs=["hbv_dna"],
    )
    dna: NDArray[np.float64] = result["hbv_dna"].to_numpy()
    event = np.any(dna >= 100.0 * dna[:, :1], axis=1)
    return float(np.mean(event, where=result["status"].to_numpy() == 0))


def test_longer_prophylaxis_protects_carriers_better() -> None:
    shares = [
        reactivated({**STANDARD, **entecavir(-7.0, stop)})
        for stop in (-7.0, 30.0, 180.0, 365.0, 730.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.1
    assert shares[-1] == 0.0


def test_steroid_raises_the_risk_of_carriers() -> None:
    assert reactivated({**STANDARD, **STEROID}) > reactivated(STANDARD) + 0.05
