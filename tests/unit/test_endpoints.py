# No `from __future__ import annotations`: the records of the model read real annotations.
"""What the endpoints ask for, and what they make of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carsim import Assumed, Model, Parameters, State, observable, parameter, state
from carsim.endpoints import (
    ENDPOINTS,
    BCellAplasia,
    CellularKinetics,
    CRSGrade,
    Endpoint,
    HBVReactivation,
    HepatitisFlare,
    Kept,
    PeakHBVDNA,
    PeakIL6,
    Remission,
    Setting,
    make_endpoint,
)
from carsim.endpoints.visits import column_of, in_a_row, is_visit, visit_times
from carsim.errors import ScenarioError
from carsim.metrics import AreaUnder, Maximum, TimeAbove, TimeOfMaximum

UNITS = {
    "hbv_dna": "IU/mL",
    "hbsag": "IU/mL",
    "alt": "U/L",
    "car_t": "cell/uL",
    "b_cells": "cell/uL",
    "il6": "pg/mL",
    "il6_signal": "1",
    "leukemia_cd19_positive": "cell",
    "leukemia_cd19_negative": "cell",
}


class Numbers(State):
    x: float = state(1.0, "1", "any number")


class Rates(Parameters):
    k: float = parameter(1.0, "1/day", "decay", Assumed("teaching example"))


def rhs(t: float, y: Numbers, p: Rates) -> Numbers:
    return Numbers(x=-p.k * y.x)


class HourlyRates(Parameters):
    k: float = parameter(1.0, "1/hour", "decay", Assumed("teaching example"))


def make_model(time_unit: str = "day", **units: str) -> Model:
    def constant(name: str, unit: str):  # type: ignore[no-untyped-def]
        def value(t: float, y: Numbers, p: Rates) -> float:
            return y.x

        value.__name__ = name
        return observable(unit, name)(value)

    rates: Any = Rates if time_unit == "day" else HourlyRates
    return Model(
        "teaching",
        rhs,
        Numbers,
        rates,
        time_unit=time_unit,
        observables=[constant(n, u) for n, u in {**UNITS, **units}.items()],
    )


MODEL = make_model()
TIMES = np.array([-14.0, 0.0, 28.0, 56.0, 84.0])
Array = NDArray[np.float64]


def kept(
    saved: Mapping[str, Array],
    metrics: Mapping[str, Array] | None = None,
    times: Array = TIMES,
    *,
    stop: float | Array | None = None,
    infusion: float = 0.0,
) -> Kept:
    """What an endpoint sees of some patients, who all end at the last time unless it is said."""
    n = len(next(iter([*saved.values(), *(metrics or {}).values()])))
    last = (times[-1] if times.size else 365.0) if stop is None else stop
    setting = Setting(MODEL, -14.0, float(np.max(last)), infusion)
    return Kept(setting, np.full(n, last), times, saved, metrics or {})


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_every_endpoint_runs_from_its_name_on_what_it_asked_for(kind: str) -> None:
    endpoint = make_endpoint(kind)
    assert isinstance(endpoint, Endpoint)
    asked = endpoint.requires(Setting(MODEL, -14.0, 100.0))
    assert np.all(np.diff(asked.save_at) > 0)
    assert asked.outputs or asked.metrics
    n = 3
    saved = {name: np.full((n, len(asked.save_at)), np.nan) for name in asked.outputs}
    metrics = {name: np.full(n, np.nan) for name in asked.metrics}
    result = endpoint.evaluate(kept(saved, metrics, asked.save_at))
    for name, each in result.items():
        assert each.values.shape == (n,), name
        assert np.isnan(each.values).all(), f"{name}: a failed patient must be NaN"
        assert each.long_name


def test_reactivation_asks_for_baseline_and_visits() -> None:
    asked = HBVReactivation().requires(Setting(MODEL, -14.0, 60.0))
    assert asked.save_at.tolist() == [-14.0, 0.0, 28.0, 56.0]
    assert asked.outputs == ("hbv_dna", "hbsag")
    asked = HBVReactivation(baseline=-7.0).requires(Setting(MODEL, -14.0, 60.0))
    assert asked.save_at.tolist() == [-14.0, -7.0, 0.0, 28.0, 56.0]


def test_reactivation_refuses_a_baseline_outside_the_simulation() -> None:
    with pytest.raises(ScenarioError, match="baseline on day -30 is not between"):
        HBVReactivation(baseline=-30.0).requires(Setting(MODEL, -14.0, 60.0))


def test_endpoints_refuse_a_simulation_without_the_infusion() -> None:
    with pytest.raises(ScenarioError, match="Give the scenario an `infusion` inside it"):
        PeakHBVDNA().requires(Setting(MODEL, -14.0, 60.0, infusion=100.0))


def test_endpoints_name_the_nearest_output() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'hbv_dna'"):
        PeakHBVDNA(hbv_dna="hbv_dan").requires(Setting(MODEL, -14.0, 60.0))


def test_endpoints_refuse_another_unit() -> None:
    with pytest.raises(ScenarioError, match="gives 'alt' in pg/mL"):
        HepatitisFlare().requires(Setting(make_model(alt="pg/mL"), -14.0, 60.0))


def test_endpoints_refuse_another_time_unit() -> None:
    with pytest.raises(ScenarioError, match="counts time in hour"):
        PeakIL6().requires(Setting(make_model("hour"), -14.0, 60.0))


def test_flare_needs_three_times_baseline_and_a_hundred() -> None:
    alt = np.array(
        [
            [25.0, 25.0, 101.0, 25.0, 25.0],  # 4 times baseline and above 100
            [25.0, 25.0, 99.0, 99.0, 99.0],  # above 3 times, but not above 100
            [50.0, 50.0, 120.0, 120.0, 149.0],  # above 100, but not 3 times
            [25.0, np.nan, np.nan, np.nan, np.nan],
        ]
    )
    peak = np.nanmax(alt, axis=1)
    result = HepatitisFlare().evaluate(kept({"alt": alt}, {"alt_peak": peak}))
    assert result["hepatitis_flare"].values[:3].tolist() == [1.0, 0.0, 0.0]
    assert result["hepatitis_flare_time"].values[0] == 28.0
    assert np.isnan(result["hepatitis_flare"].values[3])
    assert result["alt_peak"].unit == "U/L"


def test_flare_by_the_upper_limit_of_normal() -> None:
    alt = np.array([[80.0, 80.0, 201.0, 25.0, 25.0]])
    saved, metrics = {"alt": alt}, {"alt_peak": alt.max(axis=1)}
    for criterion, expected in (("AASLD 2018", 0.0), ("Chang 2014", 1.0)):
        result = HepatitisFlare(criterion).evaluate(kept(saved, metrics))
        assert result["hepatitis_flare"].values[0] == expected


def test_flare_offers_the_nearest_criterion() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'AASLD 2018'"):
        HepatitisFlare("AASLD 2019")


def leukemia(positive: list[list[float]], negative: list[list[float]]) -> dict[str, Array]:
    return {
        "leukemia_cd19_positive": np.array(positive),
        "leukemia_cd19_negative": np.array(negative),
    }


def test_remission_relapse_and_what_relapses() -> None:
    saved = leukemia(
        [
            [1e10, 1e10, 1e5, 1e3, 1e3],  # remission that holds
            [1e10, 1e10, 1e5, 1e8, 6e10],  # CD19-positive relapse
            [1e10, 1e10, 1e9, 1e7, 0.0],  # late remission, then CD19-negative relapse
            [1e10, 1e10, 1e9, 1e10, 1e11],  # never in remission
            [1e10, 1e10, np.nan, np.nan, np.nan],  # failed
        ],
        [[0.0] * 5, [0.0] * 5, [1e2, 1e2, 1e4, 1e7, 6e10], [0.0] * 5, [0.0] * 5],
    )
    result = {k: v.values for k, v in Remission().evaluate(kept(saved)).items()}
    np.testing.assert_array_equal(result["remission_early"], [1, 1, 0, 0, np.nan])
    np.testing.assert_array_equal(result["remission"], [1, 1, 1, 0, np.nan])
    np.testing.assert_array_equal(result["remission_time"], [28, 28, 56, np.nan, np.nan])
    np.testing.assert_array_equal(result["relapse"], [0, 1, 1, np.nan, np.nan])
    np.testing.assert_array_equal(result["relapse_time"], [np.nan, 84, 84, np.nan, np.nan])
    np.testing.assert_array_equal(result["relapse_cd19_negative"], [np.nan, 0, 1, np.nan, np.nan])


def test_leukemia_below_detection_before_treatment_is_no_remission() -> None:
    saved = leukemia([[1e5, 1e5, 1e9, 1e9, 1e9]], [[0.0] * 5])
    assert Remission().evaluate(kept(saved))["remission"].values.tolist() == [0.0]


def test_remission_asks_for_the_response_day_off_the_grid() -> None:
    asked = Remission(response_day=30.0).requires(Setting(MODEL, -14.0, 60.0))
    assert asked.save_at.tolist() == [0.0, 28.0, 30.0, 56.0]


def test_remission_refuses_thresholds_the_wrong_way_round_and_short_runs() -> None:
    with pytest.raises(ScenarioError, match="below the remission threshold"):
        Remission(relapse=1e7)
    with pytest.raises(ScenarioError, match="response is judged on day 28"):
        Remission().requires(Setting(MODEL, -14.0, 20.0))


def test_kinetics_asks_for_reductions_only() -> None:
    asked = CellularKinetics().requires(Setting(MODEL, -14.0, 365.0))
    assert asked.save_at.size == 0
    assert asked.outputs == ()
    assert asked.metrics == {
        "car_t_cmax": Maximum("car_t", start=0.0, stop=90.0),
        "car_t_tmax": TimeOfMaximum("car_t", start=0.0, stop=90.0),
        "car_t_auc": AreaUnder("car_t", start=0.0, stop=28.0),
        "car_t_persistence": TimeAbove("car_t", 0.1, start=0.0),
    }
    assert asked.shortened == {"car_t_cmax", "car_t_tmax"}


def test_times_stay_on_the_clock_of_the_simulation() -> None:
    names = ("car_t_cmax", "car_t_tmax", "car_t_auc", "car_t_persistence")
    metrics = {name: np.array([12.0]) for name in names}
    result = CellularKinetics().evaluate(kept({}, metrics, infusion=2.0))
    assert result["car_t_tmax"].values.tolist() == [12.0]
    assert result["car_t_auc"].unit == "day*cell/uL"
    assert [name for name, each in result.items() if each.is_instant] == ["car_t_tmax"]
    peak = {name: np.array([9.0]) for name in ("il6_peak", "il6_peak_time")}
    assert PeakIL6().evaluate(kept({}, peak, infusion=2.0))["il6_peak_time"].values == 9.0


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_every_time_says_that_it_is_one(kind: str) -> None:
    endpoint = make_endpoint(kind)
    asked = endpoint.requires(Setting(MODEL, -14.0, 100.0))
    saved = {name: np.ones((1, len(asked.save_at))) for name in asked.outputs}
    metrics = {name: np.ones(1) for name in asked.metrics}
    result = endpoint.evaluate(kept(saved, metrics, asked.save_at))
    instants = {name for name, each in result.items() if each.is_instant}
    assert instants == {name for name in result if name.endswith(("_time", "_tmax"))}


def test_kinetics_refuses_a_run_shorter_than_the_area() -> None:
    with pytest.raises(ScenarioError, match="the area runs to day 28"):
        CellularKinetics().requires(Setting(MODEL, -14.0, 20.0))


def test_aplasia_duration_and_recovery() -> None:
    nan = np.nan
    metrics = {
        "b_cell_time_above": np.array([210.0, 0.0, 300.0, nan]),
        "b_cell_aplasia_onset": np.array([5.0, 65.0, nan, nan]),
        "b_cell_last": np.array([150.0, 0.1, 200.0, nan]),
    }
    result = BCellAplasia().evaluate(kept({}, metrics, stop=300.0))
    np.testing.assert_array_equal(result["b_cell_aplasia_duration"].values, [90, 300, 0, nan])
    np.testing.assert_array_equal(result["b_cell_recovery"].values, [1, 0, nan, nan])
    np.testing.assert_array_equal(result["b_cell_recovery_time"].values, [95, nan, nan, nan])
    later = BCellAplasia().evaluate(kept({}, metrics, stop=330.0, infusion=30.0))
    np.testing.assert_array_equal(later["b_cell_recovery_time"].values, [95, nan, nan, nan])


def test_aplasia_is_never_negative() -> None:
    # Sums of stays above the threshold round, by 2.8e-12 days in 5 % of the patients.
    metrics = {
        "b_cell_time_above": np.array([300.0 + 2.8e-12, 300.0 + 2.8e-12]),
        "b_cell_aplasia_onset": np.array([np.nan, 5.0]),
        "b_cell_last": np.array([200.0, 200.0]),
    }
    result = BCellAplasia().evaluate(kept({}, metrics, stop=300.0))
    assert result["b_cell_aplasia_duration"].values.tolist() == [0.0, 0.0]


def test_a_patient_with_a_stop_of_his_own_is_judged_up_to_it() -> None:
    """As if simulated alone: visits behind the stop are not seen, and nothing at all is NaN."""
    nan = np.nan
    dna = np.array([[1.0, 1.0, 50.0, nan, nan], [1.0, 1.0, nan, nan, nan], [1.0] + [nan] * 4])
    saved = {"hbv_dna": dna, "hbsag": np.where(np.isnan(dna), nan, 0.0)}
    found = HBVReactivation().evaluate(kept(saved, stop=np.array([30.0, 20.0, -3.0])))
    np.testing.assert_array_equal(found["hbv_reactivation"].values, [1.0, 0.0, nan])
    np.testing.assert_array_equal(found["hbv_reactivation_time"].values, [28.0, nan, nan])
    failed = HBVReactivation().evaluate(kept(saved, stop=84.0))
    assert np.isnan(failed["hbv_reactivation"].values).all()
    cells = leukemia([[1e10, 1e10, 1e5, nan, nan], [1e10, 1e10, nan, nan, nan]], [[0.0] * 5] * 2)
    found = Remission().evaluate(kept(cells, stop=np.array([30.0, 20.0])))
    np.testing.assert_array_equal(found["remission_early"].values, [1.0, nan])
    np.testing.assert_array_equal(found["remission"].values, [1.0, 0.0])


def test_crs_grade_counts_thresholds() -> None:
    peak = np.array([0.01, 0.3, 0.5, 0.7, 0.99, np.nan])
    result = CRSGrade().evaluate(kept({}, {"il6_signal_peak": peak}))
    np.testing.assert_array_equal(result["crs_worst_grade"].values, [0, 1, 2, 3, 4, np.nan])
    np.testing.assert_array_equal(result["crs_severe"].values, [0, 0, 0, 1, 1, np.nan])


def test_crs_thresholds_ascend() -> None:
    with pytest.raises(ScenarioError, match="four ascending numbers"):
        CRSGrade(thresholds=(0.5, 0.4, 0.8, 0.9))


def test_peaks_end_with_the_simulation() -> None:
    asked = PeakIL6(within=60.0).requires(Setting(MODEL, -14.0, 40.0))
    assert asked.metrics["il6_peak"] == Maximum("il6", start=0.0, stop=40.0)


def test_options_from_a_config() -> None:
    endpoint = make_endpoint("crs_grade", {"thresholds": [0.1, 0.2, 0.3, 0.4], "within": 30})
    assert endpoint == CRSGrade(thresholds=(0.1, 0.2, 0.3, 0.4), within=30.0)
    assert make_endpoint("hbv_reactivation", {"baseline": -7}) == HBVReactivation(baseline=-7)


def test_unknown_kind_and_option_offer_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'hbv_reactivation'"):
        make_endpoint("hbv_reactivaton")
    with pytest.raises(ScenarioError, match="Did you mean 'every'"):
        make_endpoint("hbv_reactivation", {"evry": 28})


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_the_infusion_belongs_to_the_scenario(kind: str) -> None:
    with pytest.raises(ScenarioError, match=r"Give it once, to the scenario.*under \[time\]"):
        make_endpoint(kind, {"infusion": 30.0})


def test_options_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"every = 'monthly' must be a number, such as 28\.0"):
        make_endpoint("hbv_reactivation", {"every": "monthly"})
    with pytest.raises(ScenarioError, match=r"must be text, such as 'AASLD 2018'"):
        make_endpoint("hepatitis_flare", {"criterion": 3})


def test_visits_survive_rounding() -> None:
    grid = visit_times(Setting(MODEL, -14.0, 28.0 * 0.1 * 30), 2.8)
    assert len(grid) == 31
    assert is_visit(np.cumsum(np.full(30, 2.8)), 2.8, 0.0).all()
    assert column_of(np.array([0.0, 0.1 + 0.2]), 0.3) == 1


def test_no_visit_in_the_simulation() -> None:
    with pytest.raises(ScenarioError, match="No visit"):
        visit_times(Setting(MODEL, 1.0, 20.0), 28.0)


def test_a_time_that_was_not_saved() -> None:
    with pytest.raises(ScenarioError, match="day 5, which were not saved"):
        column_of(np.array([0.0, 28.0]), 5.0)


def test_in_a_row() -> None:
    hits = np.array([[True, True, False, True, True, True]])
    assert in_a_row(hits, 1).tolist() == hits.tolist()
    assert in_a_row(hits, 3).tolist() == [[False] * 5 + [True]]
