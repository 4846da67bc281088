"""The CAR-T side: what its prototype gave, and the facts of CAR-T therapy it was built on.

The reference values are those of a prototype of the same equations in SciPy, printed to two or
three digits (docs/flagship.md). They hold the equations and the defaults in place; they are not
data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

from carsim.endpoints import CellularKinetics, CRSGrade
from carsim.metrics import FirstBelow, Maximum, Minimum, TimeAbove, TimeOfMaximum, ValueAt
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose, Item
from carsim_models.cart_b_all import MODEL

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

# Two digits are printed, some figures are from a grid in time, and the prototype put all
# leukemia into the marrow: 3 %, half a day. The target set for the rebuild was 10 %.
REL = 0.03
DAY = 0.5

ORACLE: dict[str, list[tuple[float | None, ...]]] = {
    # peak, day; day 28; day 180; no CD19+ on day; days with B < 10/uL; IL-6, day; CRP; ferritin
    "19-BBz": [
        (6.2, 12.2, 1.8, 0.60, 41, 65, 665, 11.4, 92, 1.6e3),
        (17, 12.1, 3.9, 0.61, 29, 90, 2430, 11.0, 168, 3.5e3),
        (151, 15.8, 40, 0.58, 28, 165, 7340, 13.7, 221, 9.0e3),
        (252, 20.9, 123, 0.84, 34, 183, 7950, 18.1, 224, 1.06e4),
    ],
    "19-28z": [
        (6.2, None, 1.2, None, None, 30, 647, None, None, None),
        (17, None, 2.5, None, None, 38, 2400, None, None, None),
        (145, None, 30, None, 28, 62, 7290, None, None, None),
        (223, None, 120, None, 36, 66, 7850, None, None, None),
    ],
    "1928zT2": [
        (6.3, None, 1.3, None, 25, 56, 697, None, None, None),
        (16, None, 2.5, None, 21, 74, 2390, None, None, None),
        (152, None, 23, None, 21, 133, 7410, None, None, None),
        (272, None, 64, None, 25, 149, 8030, None, None, None),
    ],
}


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


@pytest.mark.parametrize("product", list(ORACLE))
def test_prototype(product: str) -> None:
    result = run(product=product, burden=BURDEN)
    aplasia = 0.5 * (result["b_cells"] < 10.0).sum("time").to_numpy()
    columns: list[tuple[str, Any, float, float]] = [
        ("peak", result["peak"], REL, 0.0),
        ("peak_day", result["peak_day"], 0.0, DAY),
        ("car_t_28", result["car_t_28"], REL, 0.05),
        ("car_t_180", result["car_t_180"], REL, 0.005),
        ("cd19_gone", result["cd19_gone"], 0.0, 1.0),
        ("aplasia", aplasia, REL, 1.0),
        ("il6", result["il6_peak"], REL, 0.0),
        ("il6_day", result["il6_day"], 0.0, DAY),
        ("crp", result["crp_peak"], REL, 0.0),
        ("ferritin", result["ferritin_peak"], REL, 0.0),
    ]
    for index, (name, found, rel, absolute) in enumerate(columns):
        for row, value in zip(ORACLE[product], np.asarray(found, dtype=np.float64), strict=True):
            expected = row[index]
            if expected is not None:
                assert value == pytest.approx(expected, rel=rel, abs=absolute), (name, row)


def test_cd28_product_does_not_persist_and_leaves_small_leukemia() -> None:
    result = run(product="19-28z", burden=BURDEN)
    late = result["car_t_180"].to_numpy()
    assert np.all((late > 0.034) & (late < 0.055))
    assert np.isnan(result["cd19_gone"][:2]).all()
    assert float(result["cd19_least"][1]) == pytest.approx(2.0, abs=0.1)


def test_cd19_negative_leukemia_returns_in_every_run() -> None:
    result = run()
    cells = result["leukemia_cd19_negative"].sel(time=[28.0, 180.0])
    np.testing.assert_allclose(cells, [1.1e3, 1.9e7], rtol=0.06)


def test_an_extinct_leukemia_stays_extinct() -> None:
    result = run()
    gone = float(result["cd19_gone"])
    after = result["leukemia_cd19_positive"].sel(time=slice(gone + 60.0, None))
    assert float(after.max()) < 1e-6
    assert "extinct:leukemia.positive_marrow" in result["event_name"].values


def test_without_lymphodepletion_expansion_fails_or_comes_late() -> None:
    result = run({"infusion": INFUSION})
    assert float(result["car_t_28"]) == pytest.approx(0.31, rel=0.03)
    assert float(result["peak_day"]) == pytest.approx(126.0, abs=1.0)


def test_the_dose_hardly_matters() -> None:
    tenth = run({**STANDARD, "infusion": Dose("car_t", 7e6, 0.0)})
    triple = run({**STANDARD, "infusion": Dose("car_t", 2.1e8, 0.0)})
    for result, peak, day in ((tenth, 12.6, 17.9), (triple, 19.2, 10.1)):
        assert float(result["peak"]) == pytest.approx(peak, rel=REL)
        assert float(result["peak_day"]) == pytest.approx(day, abs=DAY)


def test_a_split_dose_acts_as_a_single_one() -> None:
    split = {
        f"part {day}": Dose("car_t", 7e7 * share, float(day))
        for day, share in enumerate((0.1, 0.3, 0.6))
    }
    result = run({"conditioning": CONDITIONING, **split})
    assert float(result["peak"]) == pytest.approx(14.8, rel=REL)
    assert float(result["peak_day"]) == pytest.approx(14.1, abs=DAY)


def test_tocilizumab_lowers_crp_raises_il6_and_spares_car_t() -> None:
    """The figures of the prototype belong to a burden of 2e11 cells."""
    without = run(burden=2e11)
    result = run({**STANDARD, "tocilizumab": Dose("tocilizumab", 560.0, 5.0)}, burden=2e11)
    assert float(result["crp_peak"] / without["crp_peak"]) == pytest.approx(0.43, abs=0.01)
    assert float(result["il6_peak"] / without["il6_peak"]) == pytest.approx(1.75, abs=0.02)
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
        metrics={"highest": Maximum("crs_grade"), "il6_signal_peak": Maximum("il6_signal")},
        solver=FINE,
    )
    peak = {"il6_signal_peak": result["il6_signal_peak"].to_numpy()}
    endpoint = CRSGrade().evaluate({}, np.empty(0), peak)["crs_worst_grade"].values
    np.testing.assert_array_equal(result["highest"], endpoint)
    assert np.all(np.diff(endpoint) >= 0.0)  # a larger burden, a higher grade
    counted = np.searchsorted(CRSGrade().thresholds, result["il6_signal"], side="right")
    np.testing.assert_array_equal(result["crs_grade"], counted)
    assert set(np.unique(counted)) == {0, 1, 2, 3}


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
            save_at=[12.0],
            outputs=["crs_grade", "il6"],
        )
        for therapy in (STANDARD, {**STANDARD, "drug": Dose("tocilizumab", 560.0, 10.0)})
    ]
    without, treated = courses
    assert float(treated["il6"][0]) > float(without["il6"][0])
    assert float(treated["crs_grade"][0]) < float(without["crs_grade"][0])


def test_dexamethasone_lowers_the_peak_and_slows_clearance() -> None:
    without = run()
    early = run({**STANDARD, "steroid": Dose("dexamethasone", 10.0, 5.0, every=1.0, count=3)})
    late = run({**STANDARD, "steroid": Dose("dexamethasone", 10.0, 8.0, every=1.0, count=3)})
    assert 0.6 < float(early["peak"] / without["peak"]) < 0.9
    assert float(late["peak"]) < float(early["peak"])
    assert 3.0 < float(early["cd19_gone"] - without["cd19_gone"]) < 8.0


def test_second_infusion_needs_a_second_lymphodepletion() -> None:
    again = {**STANDARD, "second": Dose("car_t", 7e7, 120.0)}
    without = run(again, "19-28z")
    with_it = run(
        {**again, "conditioning": Dose("lymphodepletion", 1.0, [-5, -4, -3, 115, 116, 117])},
        "19-28z",
    )
    late = slice(120.5, None)
    assert float(with_it["car_t"].sel(time=late).max()) == pytest.approx(5.96, rel=REL)
    assert float(without["car_t"].sel(time=late).max()) < 0.4


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
            "il6_peak": Maximum("il6", 30.0, 400.0),
            "interferon_peak": Maximum("ifn_gamma", 30.0, 400.0),
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
    left = np.exp(-0.1 * 30.0)
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
    room = 200.0 / (200.0 + 800.0)
    for name in pools:
        gain = float(result[name][0]) / 1e3
        assert np.log(gain) == pytest.approx(0.3 * room * np.log(2.0) / 0.1, rel=1e-4), name


def test_vaccination_adds_weeks_of_persistence_and_no_crs() -> None:
    """Rossig 2017: median 56 days with and 0 without, in other cells and other patients; no CRS.

    Direction and scale only: the rates were chosen to give weeks.
    """
    without, vaccinated = persistence(STANDARD), persistence(VACCINATED)
    extra = (vaccinated["days"] - without["days"]).to_numpy()
    assert np.all((extra > 14.0) & (extra < 63.0))
    assert np.all((persistence(VACCINATED_LATER)["days"] - without["days"]).to_numpy() > 14.0)
    for name in ("il6_peak", "interferon_peak"):
        assert np.all((vaccinated[name] <= 1.05 * without[name]).to_numpy()), name


def test_vaccination_of_a_cd28_product_does_not_cure() -> None:
    """The CD19+ leukemia that 19-28z leaves behind grows back with and without."""
    for therapy in (STANDARD, VACCINATED_LATER):
        result = persistence(therapy, burden=BURDEN[:2])
        positive = result["leukemia_cd19_positive"]
        assert np.all((positive.sel(time=400.0) > 1e6).to_numpy())
        negative = result["leukemia_cd19_negative"].sel(time=400.0)
        assert np.all((negative > 1e10).to_numpy())


def test_igg_falls_as_in_adults_and_ivig_raises_it() -> None:
    """Total IgG fell by 17.5 % within a year in adults (Hill 2019); the model by 25 to 30 %."""
    result = run()
    assert 7.0 < float(result["igg"].sel(time=365.0)) < 8.25
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
    np.testing.assert_allclose(result["car_t_total"], 1.4e6, rtol=1e-9)


def test_health_stays_put() -> None:
    result = simulate(
        MODEL,
        parameters={"leukemia.initial_cells": 0.0},
        stop=100.0,
        save_at=[0.0, 100.0],
        outputs=list(MODEL.state_names),
    )
    for name in MODEL.state_names:
        first, last = result[name].to_numpy()
        assert last == pytest.approx(first, rel=1e-9, abs=1e-12), name
