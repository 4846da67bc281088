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

from carsim.metrics import FirstBelow, Maximum, Minimum, TimeOfMaximum, ValueAt
from carsim.scenario import Solver
from carsim.simulation import simulate
from carsim.therapy import Dose, TherapyItem
from carsim_models.cart_b_all import MODEL

BURDEN = np.array([1e8, 1e10, 2e11, 1e12])
DAILY = np.arange(0.0, 400.5, 0.5)
CONDITIONING = Dose("lymphodepletion", 1.0, [-5.0, -4.0, -3.0])
INFUSION = Dose("car_t", 7e7, 0.0)
STANDARD = {"conditioning": CONDITIONING, "infusion": INFUSION}
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
    therapy: Mapping[str, TherapyItem] = STANDARD,
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
