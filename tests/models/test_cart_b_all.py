"""The CAR-T side: the facts of CAR-T therapy that it was built on, one patient at a time.

Sizes are held by ``carsim verify`` (the typical courses and the trials) and by
tests/models/test_calibration.py; here are directions, conservation and closed forms.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr

from carsim.endpoints import CellularKinetics, CRSGrade
from carsim.metrics import FirstBelow, Maximum, Minimum, TimeAbove, TimeOfMaximum, ValueAt
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose, Item
from carsim_models.cart_b_all import MODEL

PRODUCTS = ("19-28z", "1928zT2", "19-BBz")
BURDEN = np.array([1e8, 1e10, 2e11, 1e12])
LATE = BURDEN[2:]  # the leukemia is gone by day 36 and does not call CAR-T cells back
DEFAULTS = dict(zip(MODEL.parameter_names, MODEL.parameter_values()[0].tolist(), strict=True))
GRADES = ("cytokine.grade_1", "cytokine.grade_2", "cytokine.grade_3", "cytokine.grade_4")
DAILY = np.arange(0.0, 400.5, 0.5)
CONDITIONING = Dose("lymphodepletion", 1.0, [-5.0, -4.0, -3.0])
INFUSION = Dose("car_t", 7e7, 0.0)
STANDARD = {"conditioning": CONDITIONING, "infusion": INFUSION}
VACCINATED = {**STANDARD, "vaccine": Dose("vaccine", 1.0, 30.0, every=30.0, count=3)}
VACCINATED_LATER = {**STANDARD, "vaccine": Dose("vaccine", 1.0, 60.0, every=30.0, count=3)}
FINE = Solver(rtol=1e-7)


def run(
    therapy: Mapping[str, Item] = STANDARD,
    product: str = "19-BBz",
    burden: float | np.ndarray[tuple[int], np.dtype[np.float64]] = 1e10,
) -> xr.Dataset:
    return simulate(
        MODEL,
        variants=[product],
        parameters={"leukemia.initial_cells": burden},
        therapy=therapy,
        start=-7.0,
        stop=400.0,
        save_at=DAILY,
        outputs=["car_t", "b_cells", "leukemia_cd19_positive", "leukemia_cd19_negative", "igg"],
        metrics={
            "peak": Maximum("car_t"),
            "peak_day": TimeOfMaximum("car_t"),
            "car_t_28": ValueAt("car_t", 28.0),
            "car_t_180": ValueAt("car_t", 180.0),
            "cd19_gone": FirstBelow("leukemia_cd19_positive", 1.0),
            "cd19_least": Minimum("leukemia_cd19_positive"),
            "il6_peak": Maximum("il6"),
            "il6_day": TimeOfMaximum("il6"),
            "crp_peak": Maximum("crp"),
            "ferritin_peak": Maximum("ferritin"),
        },
        solver=FINE,
        on_failure="raise",
    )


def test_products_differ_in_persistence_and_aplasia() -> None:
    """CD28 costimulation: weeks to months; 4-1BB: lasting; TLR2 in between (Lai 2018)."""
    found = {product: run(product=product, burden=BURDEN) for product in PRODUCTS}
    late = {product: result["car_t_180"].to_numpy() for product, result in found.items()}
    aplasia = {
        product: 0.5 * (result["b_cells"] < 10.0).sum("time").to_numpy()
        for product, result in found.items()
    }
    for shorter, longer in (("19-28z", "1928zT2"), ("1928zT2", "19-BBz")):
        assert np.all(aplasia[shorter] < aplasia[longer])
        assert np.all(late[shorter] < late[longer])
    assert np.all(aplasia["19-28z"] < 90.0)
    assert np.all(aplasia["19-BBz"][2:] > 180.0)


def test_il6_peaks_within_nine_days_and_before_the_cells() -> None:
    result = run(burden=BURDEN)
    day = result["il6_day"].to_numpy()
    assert np.all((day > 3.0) & (day < 9.0))
    assert np.all(day < result["peak_day"].to_numpy())


def test_cytokine_release_grows_with_burden_and_hardly_with_dose() -> None:
    by_burden = run(burden=BURDEN)["il6_peak"].to_numpy()
    assert np.all(np.diff(by_burden) > 0.0)
    assert by_burden[-1] > 4.0 * by_burden[0]
    doses = [
        float(run({**STANDARD, "infusion": Dose("car_t", cells, 0.0)})["il6_peak"])
        for cells in (7e6, 7e7, 7e8)
    ]
    assert max(doses) < 2.0 * min(doses)


def test_a_second_release_is_blunted() -> None:
    """Attenuation on repeated dosing (Chen 2019): macrophages that were activated rest."""
    again = {
        "conditioning": Dose("lymphodepletion", 1.0, [-5, -4, -3, 9, 10, 11]),
        "infusion": Dose("car_t", 7e7, [0.0, 14.0]),
    }
    results = [
        simulate(
            MODEL,
            parameters={"leukemia.initial_cells": 1e11, "cytokine.k_Q": rest},
            therapy=again,
            start=-7.0,
            stop=40.0,
            save_at=[],
            metrics={"second": Maximum("il6", 14.0, 40.0)},
        )
        for rest in (0.03, 50.0)
    ]
    assert float(results[0]["second"]) < 0.5 * float(results[1]["second"])


def test_cd19_negative_leukemia_returns_during_aplasia() -> None:
    result = run()
    early, late = result["leukemia_cd19_negative"].sel(time=[28.0, 120.0]).to_numpy()
    assert late > 100.0 * early > 0.0
    assert float(result["b_cells"].sel(time=120.0)) < 10.0


def test_cd19_positive_leukemia_returns_after_the_b_cells() -> None:
    """A weak 19-28z product: B cells are back months before the leukemia is."""
    result = simulate(
        MODEL,
        variants=["19-28z"],
        parameters={
            "leukemia.initial_cells": 1e10,
            "leukemia.negative_fraction": 0.0,
            "leukemia.mu": 0.0,
            "cart.r_E": 1.2,
        },
        therapy=STANDARD,
        start=-7.0,
        stop=400.0,
        save_at=DAILY,
        outputs=["b_cells", "leukemia_cd19_positive"],
    )
    leukemia = result["leukemia_cd19_positive"]
    assert float(leukemia.min()) < 1e8
    relapse = DAILY[np.argmax((leukemia.to_numpy() > 5e10) & (DAILY > 28.0))]
    b_cells = result["b_cells"].to_numpy()
    gone = int(np.argmin(b_cells))
    recovery = DAILY[gone + int(np.argmax(b_cells[gone:] > 10.0))]
    assert b_cells[gone] < 10.0
    assert recovery + 30.0 < relapse


def test_an_extinct_leukemia_stays_extinct() -> None:
    result = run()
    gone = float(result["cd19_gone"])
    after = result["leukemia_cd19_positive"].sel(time=slice(gone + 60.0, None))
    assert float(after.max()) < 1e-6
    assert "extinct:leukemia.positive_marrow" in result["event_name"].values


def test_without_lymphodepletion_expansion_fails_or_comes_late() -> None:
    early = slice(0.0, 30.0)
    for product, at_most in (("19-BBz", 0.35), ("19-28z", 0.2)):
        courses = [run(therapy, product)["car_t"] for therapy in (STANDARD, {"infusion": INFUSION})]
        peaks = [float(course.sel(time=early).max()) for course in courses]
        assert peaks[1] < at_most * peaks[0]


def test_the_dose_hardly_matters() -> None:
    tenth = run({**STANDARD, "infusion": Dose("car_t", 7e6, 0.0)})
    triple = run({**STANDARD, "infusion": Dose("car_t", 2.1e8, 0.0)})
    peaks = [float(result["peak"]) for result in (tenth, run(), triple)]
    assert max(peaks) < 1.5 * min(peaks)
    assert float(triple["peak_day"]) < float(tenth["peak_day"])


def test_a_split_dose_acts_as_a_single_one() -> None:
    split = {
        f"part {day}": Dose("car_t", 7e7 * share, float(day))
        for day, share in enumerate((0.1, 0.3, 0.6))
    }
    result, single = run({"conditioning": CONDITIONING, **split}), run()
    assert float(result["peak"]) == pytest.approx(float(single["peak"]), rel=0.15)
    assert 0.0 < float(result["peak_day"] - single["peak_day"]) < 4.0


def test_tocilizumab_lowers_crp_raises_il6_and_spares_car_t() -> None:
    without = run(burden=2e11)
    result = run({**STANDARD, "tocilizumab": Dose("tocilizumab", 560.0, 4.0)}, burden=2e11)
    assert float(result["crp_peak"] / without["crp_peak"]) < 0.6
    assert float(result["il6_peak"] / without["il6_peak"]) > 1.4
    assert float(result["peak"] / without["peak"]) == pytest.approx(1.0, abs=1e-3)


def test_crs_grade_steps_at_the_thresholds() -> None:
    """Just below and just above each of the four, and what the plain equations say there."""
    threshold = np.array([DEFAULTS[name] for name in GRADES])
    signal = np.sort(np.r_[threshold * (1.0 - 1e-6), threshold * (1.0 + 1e-6)])
    il6 = DEFAULTS["cytokine.K_6"] * signal / (1.0 - signal)
    result = simulate(
        MODEL,
        initial={"cytokine.il6": il6},
        stop=1e-3,
        save_at=[0.0],
        outputs=["il6_signal", "crs_grade"],
    )
    np.testing.assert_allclose(result["il6_signal"][:, 0], signal, rtol=1e-12)
    np.testing.assert_array_equal(result["crs_grade"][:, 0], [0, 1, 1, 2, 2, 3, 3, 4])
    y, p = MODEL.initial_state(MODEL.parameter_values())
    for row, grade in zip(il6, [0, 1, 1, 2, 2, 3, 3, 4], strict=True):
        y[0, MODEL.state_index["cytokine.il6"]] = row
        assert MODEL.observe(0.0, y[0], p[0])["crs_grade"] == grade
    # At the threshold itself the grade is reached: K_6 is the IL-6 of half the signal.
    y[0, MODEL.state_index["cytokine.il6"]] = DEFAULTS["cytokine.K_6"]
    assert MODEL.observe(0.0, y[0], p[0])["crs_grade"] == 2.0


def test_crs_grade_has_the_thresholds_of_the_endpoint_and_agrees_with_it() -> None:
    assert tuple(DEFAULTS[name] for name in GRADES) == CRSGrade().thresholds
    result = simulate(
        MODEL,
        parameters={"leukemia.initial_cells": BURDEN},
        therapy=STANDARD,
        start=-7.0,
        stop=60.0,
        save_at=DAILY[:121],
        outputs=["crs_grade", "il6_signal"],
        metrics={"highest": Maximum("crs_grade")},
        endpoints={"crs": CRSGrade()},
        solver=FINE,
    )
    endpoint = result["crs_worst_grade"].to_numpy()
    np.testing.assert_array_equal(result["highest"], endpoint)
    assert np.all(np.diff(endpoint) >= 0.0)  # a larger burden, a higher grade
    counted = np.searchsorted(CRSGrade().thresholds, result["il6_signal"], side="right")
    np.testing.assert_array_equal(result["crs_grade"], counted)
    assert set(np.unique(counted)) >= {0, 1, 2}


def test_crs_grade_follows_thresholds_that_are_set() -> None:
    result = simulate(
        MODEL,
        parameters=dict(zip(GRADES, (0.1, 0.2, 0.3, 0.4), strict=True)),
        initial={"cytokine.il6": 1000.0 * 0.35 / 0.65},
        stop=1e-3,
        save_at=[0.0],
        outputs=["crs_grade"],
    )
    assert float(result["crs_grade"][0]) == 3.0


def test_tocilizumab_lowers_the_grade_while_il6_rises() -> None:
    courses = [
        simulate(
            MODEL,
            parameters={"leukemia.initial_cells": 2e11},
            therapy=therapy,
            start=-7.0,
            stop=20.0,
            save_at=[7.0],
            outputs=["crs_grade", "il6"],
        )
        for therapy in (STANDARD, {**STANDARD, "drug": Dose("tocilizumab", 560.0, 5.0)})
    ]
    without, treated = courses
    assert float(treated["il6"][0]) > float(without["il6"][0])
    assert float(treated["crs_grade"][0]) < float(without["crs_grade"][0])


def test_dexamethasone_lowers_the_peak_and_slows_clearance() -> None:
    without = run()
    steroid = Dose("dexamethasone", 10.0, 2.0, every=0.25, count=12)
    result = run({**STANDARD, "steroid": steroid})
    assert 0.4 < float(result["peak"] / without["peak"]) < 0.95
    assert float(result["cd19_gone"] - without["cd19_gone"]) > 0.5
    assert float(result["il6_peak"]) < 0.8 * float(without["il6_peak"])


def test_second_infusion_needs_a_second_lymphodepletion() -> None:
    again = {**STANDARD, "second": Dose("car_t", 7e7, 120.0)}
    without = run(again, "19-28z")
    with_it = run(
        {**again, "conditioning": Dose("lymphodepletion", 1.0, [-5, -4, -3, 115, 116, 117])},
        "19-28z",
    )
    late = slice(120.5, None)
    peaks = [float(result["car_t"].sel(time=late).max()) for result in (without, with_it)]
    assert peaks[1] > 5.0 * peaks[0]
    assert float(with_it["b_cells"].sel(time=late).min()) < 10.0
    assert float(without["b_cells"].sel(time=late).min()) > 10.0


def persistence(
    therapy: Mapping[str, Item],
    product: str = "19-28z",
    burden: np.ndarray[tuple[int], np.dtype[np.float64]] = LATE,
    **parameters: float,
) -> xr.Dataset:
    return simulate(
        MODEL,
        variants=[product],
        parameters={
            "leukemia.initial_cells": burden,
            **{f"cart.{name}": value for name, value in parameters.items()},
        },
        therapy=therapy,
        start=-7.0,
        stop=400.0,
        save_at=DAILY,
        outputs=["car_t", "cart.vaccine", "leukemia_cd19_positive", "leukemia_cd19_negative"],
        metrics={
            "days": TimeAbove("car_t", CellularKinetics().detection_limit),
            "grade": Maximum("crs_grade", 30.0, 400.0),
        },
        solver=FINE,
        on_failure="raise",
    )


def test_without_a_vaccine_its_parameters_do_nothing() -> None:
    """Exactly: in the derivatives at any state, and to the last bit in a course."""
    rng = np.random.default_rng(3)
    base, p = MODEL.initial_state(MODEL.parameter_values({"cart.r_V": np.array([0.0, 5.0])}))
    for _ in range(20):
        y = base[0] * rng.uniform(0.1, 2.0, base.shape[1])
        cells = [MODEL.state_index[name] for name in MODEL.state_names if name.startswith("cart.")]
        y[cells] = 10.0 ** rng.uniform(3.0, 10.0, len(cells))
        y[MODEL.state_index["cart.vaccine"]] = 0.0
        assert MODEL.derivatives(0.0, y, p[0]) == MODEL.derivatives(0.0, y, p[1])
    none, strong = (persistence(STANDARD, r_V=rate, k_V=0.2) for rate in (0.0, 5.0))
    for name in ("car_t", "leukemia_cd19_negative", "days"):
        np.testing.assert_array_equal(none[name], strong[name])


def test_vaccine_decays_and_counts_vaccinations() -> None:
    vaccine = persistence(VACCINATED)["cart.vaccine"][0]
    left = np.exp(-DEFAULTS["cart.k_V"] * 30.0)
    expected = [0.0, 1.0, 1.0 + left, 1.0 + left * (1.0 + left)]
    np.testing.assert_allclose(vaccine.sel(time=[29.5, 30.0, 60.0, 90.0]), expected, rtol=1e-6)


def test_one_vaccination_multiplies_every_dividing_pool_by_its_closed_form() -> None:
    """In a constant environment the log of the gain is r_V room ln(2)/k_V."""
    alone = ("r_E", "r_M", "d_E", "d_M", "k_ME", "k_X", "eta", "k_12", "k_21")
    pools = [
        f"cart.{kind}_{site}" for kind in ("memory", "effector") for site in ("blood", "marrow")
    ]
    result = simulate(
        MODEL,
        parameters={f"cart.{name}": 0.0 for name in alone},
        initial=dict.fromkeys(pools, 1e3),
        therapy={"vaccine": Dose("vaccine", 1.0, 0.0)},
        stop=300.0,
        save_at=[300.0],
        outputs=pools,
        solver=FINE,
    )
    room = DEFAULTS["cart.K_T"] / (DEFAULTS["cart.K_T"] + DEFAULTS["t_cell.N_0"])
    expected = DEFAULTS["cart.r_V"] * room * np.log(2.0) / DEFAULTS["cart.k_V"]
    for name in pools:
        gain = float(result[name][0]) / 1e3
        assert np.log(gain) == pytest.approx(expected, rel=1e-4), name


def test_vaccination_adds_weeks_of_persistence_and_no_crs() -> None:
    """Rossig 2017: median 56 days with and 0 without, in other cells and other patients; no CRS.

    Direction and scale only: the rates were chosen to give weeks.
    """
    without, vaccinated = persistence(STANDARD), persistence(VACCINATED)
    extra = (vaccinated["days"] - without["days"]).to_numpy()
    assert np.all((extra > 14.0) & (extra < 63.0))
    assert np.all((persistence(VACCINATED_LATER)["days"] - without["days"]).to_numpy() > 14.0)
    np.testing.assert_array_equal(vaccinated["grade"], 0.0)


def test_igg_falls_as_in_adults_and_ivig_raises_it() -> None:
    """Total IgG fell by 17.5 % on average over a year in aplastic adults (Hill 2019)."""
    result = run()
    fall = 1.0 - result["igg"].sel(time=[28.0, 182.0, 364.0]) / 10.0
    assert 0.1 < float(fall.mean()) < 0.3
    given = {**STANDARD, "ivig": Dose("ivig", 4.0, 100.0)}
    rise = run(given)["igg"] - result["igg"]
    assert float(rise.sel(time=99.0)) == pytest.approx(0.0, abs=1e-9)
    assert float(rise.sel(time=121.0)) == pytest.approx(2.0, rel=0.01)  # half-life 21 days


def test_cells_are_conserved_by_traffic() -> None:
    """Without antigen effects and loss, blood and marrow only exchange cells."""
    off = {
        f"cart.{name}": 0.0
        for name in ("r_E", "r_M", "d_E", "d_M", "eta", "k_ME", "k_X", "d_X", "g")
    }
    result = simulate(
        MODEL,
        parameters=off,
        therapy={"infusion": INFUSION},
        stop=30.0,
        save_at=[0.0, 1.0, 10.0, 30.0],
        outputs=["car_t_total"],
        solver=FINE,
    )
    np.testing.assert_allclose(result["car_t_total"], DEFAULTS["cart.engraftment"] * 7e7, rtol=1e-9)


def test_health_stays_put() -> None:
    # The integrals of cure.py run on; without cells they mean nothing.
    names = [name for name in MODEL.state_names if not name.startswith("cure.")]
    result = simulate(
        MODEL,
        parameters={"leukemia.initial_cells": 0.0},
        stop=100.0,
        save_at=[0.0, 100.0],
        outputs=names,
    )
    for name in names:
        first, last = result[name].to_numpy()
        assert last == pytest.approx(first, rel=1e-9, abs=1e-12), name


def test_extramedullary_leukemia_draws_cells_and_is_cleared() -> None:
    """Weng 2018: three patients with extramedullary disease, all in remission under 1928zT2."""
    site = {"leukemia.initial_cells": 1e9, "leukemia.extramedullary_cells": 1e10}
    outputs = ["leukemia_extramedullary", "car_t_extramedullary", "car_t"]
    treated, untreated = (
        simulate(
            MODEL,
            variants=["1928zT2"],
            parameters=site,
            therapy=therapy,
            start=-7.0,
            stop=60.0,
            save_at=DAILY[:121],
            outputs=outputs,
        )
        for therapy in (STANDARD, {"conditioning": CONDITIONING})
    )
    assert float(treated["car_t_extramedullary"].max()) > 1e6
    assert float(treated["leukemia_extramedullary"].sel(time=28.0)) < 1e6
    assert float(untreated["leukemia_extramedullary"].sel(time=60.0)) > 1e10


def test_without_extramedullary_leukemia_the_site_is_inert() -> None:
    """No cell goes there, and its traffic rates change no bit of the course."""
    results = [
        simulate(
            MODEL,
            parameters={"cart.k_13": rate},
            therapy=STANDARD,
            start=-7.0,
            stop=100.0,
            save_at=DAILY[:201],
            outputs=["car_t", "car_t_extramedullary"],
        )
        for rate in (0.0, 0.5)
    ]
    np.testing.assert_array_equal(results[0]["car_t"], results[1]["car_t"])
    np.testing.assert_array_equal(results[1]["car_t_extramedullary"], 0.0)


def test_probability_of_cure_against_the_closed_form_of_constant_rates() -> None:
    """Without therapy: birth r + turnover, death turnover (Kendall 1948)."""
    growth, turnover, cells = 0.05, 0.1, 3.0
    result = simulate(
        MODEL,
        parameters={
            "leukemia.initial_cells": cells,
            "leukemia.r_L": growth,
            "leukemia.K_L": 1e30,
            "leukemia.negative_fraction": 0.0,
            "cure.turnover": turnover,
        },
        stop=100.0,
        save_at=[10.0, 40.0, 100.0],
        outputs=["cure_probability_cd19_positive"],
        solver=Solver(rtol=1e-9),
    )
    t = np.array([10.0, 40.0, 100.0])
    birth, death = growth + turnover, turnover
    e = np.exp(-growth * t)
    one = death * (1.0 - e) / (birth - death * e)  # one line has died out by t
    # The number of founders is Poisson: lines that live on are Poisson too.
    np.testing.assert_allclose(
        result["cure_probability_cd19_positive"], np.exp(-cells * (1.0 - one)), rtol=1e-5
    )


def test_probability_of_cure_agrees_with_the_threshold() -> None:
    """A pool that falls far below one cell is cured, one that stays far above is not."""
    result = simulate(
        MODEL,
        parameters={
            "cart.g": np.array([2.0, 0.2]),
            "leukemia.negative_fraction": 0.0,
            "leukemia.mu": 0.0,
        },
        therapy=STANDARD,
        start=-7.0,
        stop=200.0,
        save_at=[200.0],
        outputs=["cure_probability", "leukemia"],
    )
    assert float(result["cure_probability"][0, 0]) > 0.999
    assert float(result["leukemia"][0, 0]) < 1.0
    assert float(result["cure_probability"][1, 0]) < 1e-3
    assert float(result["leukemia"][1, 0]) > 100.0


def test_anti_cd20_spares_precursors_and_b_cells_return_in_half_a_year() -> None:
    result = simulate(
        MODEL,
        parameters={"leukemia.initial_cells": 0.0},
        therapy={"antibody": Dose("anti_cd20", 1.0, 0.0, every=21.0, count=6)},
        stop=500.0,
        save_at=DAILY,
        outputs=["b_cells", "b_cell.precursor"],
    )
    b_cells = result["b_cells"]
    assert float(b_cells.sel(time=21.0)) < 10.0
    np.testing.assert_allclose(result["b_cell.precursor"], 2.5e9, rtol=1e-6)
    back = DAILY[np.argmax((b_cells.to_numpy() > 10.0) & (DAILY > 105.0))]
    assert 150.0 < back - 105.0 < 365.0
