"""Criteria of reactivation, applied to hand-made courses."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim.endpoints import (
    DEFINITIONS,
    Criterion,
    Definition,
    EndpointValues,
    HBVReactivation,
    Kept,
    Setting,
    by_guideline,
)
from carsim.errors import ScenarioError
from carsim.model import Model

TIMES = np.array([-14.0, 0.0, 28.0, 56.0, 84.0, 112.0])
Array = NDArray[np.float64]


def kept(saved: dict[str, Array], times: Array = TIMES) -> Kept:
    """What the endpoint sees; the model plays no part any more."""
    setting = Setting(cast(Model, None), float(times[0]), float(times[-1]))
    return Kept(setting, np.full(len(saved["hbsag"]), times[-1]), times, saved)


def judge(
    dna: list[list[float]], hbsag: list[list[float]], endpoint: HBVReactivation
) -> dict[str, EndpointValues]:
    return endpoint.evaluate(kept({"hbv_dna": np.array(dna), "hbsag": np.array(hbsag)}))


def one(dna: list[float], hbsag: float | list[float], **options: object) -> dict[str, float]:
    """Judge a single patient."""
    antigen = hbsag if isinstance(hbsag, list) else [hbsag] * len(TIMES)
    result = judge([dna], [antigen], HBVReactivation(**options))  # type: ignore[arg-type]
    return {name: float(each.values[0]) for name, each in result.items()}


def test_two_log_rise_over_baseline_is_reactivation_of_a_carrier() -> None:
    result = one([50.0, 20.0, 4999.0, 5000.0, 9000.0, 0.0], 500.0)
    assert result["hbv_reactivation"] == 1.0
    assert result["hbv_reactivation_time"] == 56.0
    assert result["hbv_reactivation_dna"] == 5000.0
    assert np.isnan(result["hbv_reactivation_seroconversion"])


def test_less_than_two_log_is_none() -> None:
    result = one([50.0, 20.0, 4999.0, 4999.0, 4999.0, 0.0], 500.0)
    assert result["hbv_reactivation"] == 0.0
    assert np.isnan(result["hbv_reactivation_time"])
    assert np.isnan(result["hbv_reactivation_dna"])


@pytest.mark.parametrize(("peak", "expected"), [(999.0, 0.0), (1000.0, 1.0)])
def test_three_log_if_previously_undetectable(peak: float, expected: float) -> None:
    result = one([9.9, 0.0, 0.0, peak, 0.0, 0.0], 500.0)
    assert result["hbv_reactivation"] == expected


@pytest.mark.parametrize(("peak", "expected"), [(9999.0, 0.0), (10000.0, 1.0)])
def test_four_log_without_a_baseline(peak: float, expected: float) -> None:
    result = one([50.0, 0.0, 0.0, peak, 0.0, 0.0], 500.0, baseline="none")
    assert result["hbv_reactivation"] == expected


def test_detectable_dna_is_reactivation_of_a_resolved_patient() -> None:
    result = one([1e-3, 1e-3, 9.9, 10.0, 400.0, 5e3], 0.0)
    assert result["hbv_reactivation_time"] == 56.0
    assert result["hbv_reactivation_seroconversion"] == 0.0


def test_hbsag_reappearing_is_reactivation_even_without_detectable_dna() -> None:
    result = one([0.0] * 6, [0.0, 0.0, 0.0, 0.0, 0.06, 0.2])
    assert result["hbv_reactivation_time"] == 84.0
    assert result["hbv_reactivation_seroconversion"] == 1.0
    assert result["hbv_reactivation_dna"] == 0.0


def test_occult_viremia_at_baseline_counts_by_hbsag_only() -> None:
    assert one([20.0, 20.0, 500.0, 500.0, 0.0, 0.0], 0.0)["hbv_reactivation"] == 0.0


def test_detection_limit_is_part_of_the_definition() -> None:
    dna = [1e-3, 1e-3, 15.0, 15.0, 0.0, 0.0]
    assert one(dna, 0.0)["hbv_reactivation"] == 1.0
    assert one(dna, 0.0, detection_limit=20.0)["hbv_reactivation"] == 0.0


def test_baseline_on_treatment_changes_who_reactivates() -> None:
    dna = [300.0, 0.0, 0.0, 0.0, 2000.0, 2000.0]
    assert one(dna, 500.0)["hbv_reactivation"] == 0.0
    assert one(dna, 500.0, baseline=0.0)["hbv_reactivation_time"] == 84.0


def test_visits_before_the_baseline_do_not_count() -> None:
    dna = [300.0, 1e5, 10.0, 10.0, 10.0, 10.0]
    assert one(dna, 500.0)["hbv_reactivation_time"] == 0.0
    assert one(dna, 500.0, baseline=28.0)["hbv_reactivation"] == 0.0


def test_sparser_visits_see_later_and_less() -> None:
    dna = [1e-3, 0.0, 50.0, 0.0, 30.0, 0.0]
    assert one(dna, 0.0)["hbv_reactivation_time"] == 28.0
    assert one(dna, 0.0, every=84.0)["hbv_reactivation_time"] == 84.0
    assert one(dna, 0.0, every=56.0)["hbv_reactivation"] == 0.0


def test_saved_times_of_other_endpoints_are_not_visits() -> None:
    times = np.array([-14.0, 0.0, 13.0, 28.0])
    saved = {"hbv_dna": np.array([[0.0, 0.0, 99.0, 0.0]]), "hbsag": np.zeros((1, 4))}
    result = HBVReactivation().evaluate(kept(saved, times))
    assert result["hbv_reactivation"].values.tolist() == [0.0]


def test_failed_patients_are_unknown_never_zero() -> None:
    nan = np.nan
    result = judge(
        [[0.0, 0.0, 50.0, nan, nan, nan], [0.0, 0.0, 50.0, 0.0, 0.0, 0.0]],
        [[0.0] * 6, [0.0] * 6],
        HBVReactivation(),
    )
    assert all(np.isnan(each.values[0]) for each in result.values())
    assert result["hbv_reactivation"].values[1] == 1.0


def test_mixed_serostatus_in_one_block() -> None:
    result = judge(
        [[300.0, 300.0, 3e4, 3e4, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 20.0]],
        [[500.0] * 6, [0.0] * 6],
        HBVReactivation(),
    )
    assert result["hbv_reactivation_time"].values.tolist() == [28.0, 112.0]
    assert result["hbv_reactivation_time"].unit == "day"
    assert result["hbv_reactivation"].long_name == "HBV reactivation (AASLD 2018)"


def test_aga_takes_a_ten_fold_rise_and_apasl_a_hundred() -> None:
    dna = [50.0, 50.0, 500.0, 500.0, 500.0, 500.0]
    assert one(dna, 500.0, definition="AGA 2015")["hbv_reactivation"] == 1.0
    assert one(dna, 500.0, definition="APASL 2016")["hbv_reactivation"] == 0.0


def test_kasl_is_strict_about_a_hundred_fold() -> None:
    dna = [50.0, 50.0, 5000.0, 50.0, 50.0, 50.0]
    assert one(dna, 500.0, definition="KASL 2019")["hbv_reactivation"] == 0.0
    dna[2] = 5001.0
    assert one(dna, 500.0, definition="KASL 2019")["hbv_reactivation"] == 1.0


def test_a_definition_that_is_silent_gives_unknown() -> None:
    result = one([0.0, 0.0, 1e6, 1e6, 1e6, 1e6], 0.0, definition="APASL 2016")
    assert np.isnan(result["hbv_reactivation"])
    assert np.isnan(result["hbv_reactivation_time"])


def test_li_2021_needs_two_visits_in_a_row() -> None:
    once = [0.0, 0.0, 150.0, 50.0, 150.0, 0.0]
    twice = [0.0, 0.0, 150.0, 50.0, 150.0, 150.0]
    assert one(once, 0.0, definition="Li 2021")["hbv_reactivation"] == 0.0
    assert one(twice, 0.0, definition="Li 2021")["hbv_reactivation_time"] == 112.0


def test_a_level_that_baseline_already_had_is_no_reactivation() -> None:
    assert one([2e3] * 6, 500.0, definition="Liu 2019")["hbv_reactivation"] == 0.0


def test_own_definition_and_name() -> None:
    mine = Definition(
        "mine", "this test", (Criterion("twice the baseline", "any", "known", "hbv_dna", fold=2.0),)
    )
    result = one([50.0, 50.0, 100.0, 0.0, 0.0, 0.0], 500.0, definition=mine, name="doubling")
    assert result["doubling"] == 1.0
    assert result["doubling_time"] == 28.0


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_definition_finds_massive_reactivation_in_those_it_covers(name: str) -> None:
    saved = {
        "hbv_dna": np.array([[20.0, 20.0, 1e8, 1e8, 1e8, 1e8], [0.0, 0.0, 1e8, 1e8, 1e8, 1e8]]),
        "hbsag": np.array([[500.0] * 6, [0.0, 0.0, 500.0, 500.0, 500.0, 500.0]]),
    }
    result = HBVReactivation(name).evaluate(kept(saved))
    values = result["hbv_reactivation"].values
    assert np.nanmin(values) == 1.0
    assert np.isfinite(values).any()


LOW, NO_DNA = 20.0, 0.0
# (definition, HBsAg at baseline, HBV DNA at baseline or None for no measurement) to the HBV DNA
# from which it is a reactivation ("inf": never by DNA, None: the source is silent).
BY_THE_TABLES = {
    ("AASLD 2018", 500.0, LOW): 2000.0,
    ("AASLD 2018", 500.0, NO_DNA): 1000.0,
    ("AASLD 2018", 500.0, None): 10_000.0,
    ("AASLD 2018", 0.0, NO_DNA): 10.0,
    ("AASLD 2018", 0.0, LOW): np.inf,
    ("ASCO 2020", 500.0, LOW): 2000.0,
    ("Cao 2020", 500.0, NO_DNA): 1000.0,
    ("AGA 2015", 500.0, LOW): 200.0,
    ("AGA 2015", 500.0, NO_DNA): 10.0,
    ("AGA 2015", 500.0, None): None,
    ("AGA 2015", 0.0, NO_DNA): np.inf,
    ("APASL 2016", 500.0, LOW): 2000.0,
    ("APASL 2016", 500.0, NO_DNA): 100.0,
    ("APASL 2016", 500.0, None): 20_000.0,
    ("APASL 2016", 0.0, NO_DNA): None,
    ("KASL 2019", 500.0, LOW): np.nextafter(2000.0, np.inf),
    ("KASL 2019", 500.0, NO_DNA): None,
    ("KASL 2019", 500.0, None): None,
    ("KASL 2019", 0.0, NO_DNA): 10.0,
    ("Wang 2020", 500.0, LOW): np.nextafter(200.0, np.inf),
    ("Wang 2020", 0.0, NO_DNA): 10.0,
    ("Wang 2020", 500.0, None): np.nextafter(2000.0, np.inf),
    ("Yang 2020", 500.0, LOW): np.nextafter(200.0, np.inf),
    ("Yang 2020", 500.0, NO_DNA): 10.0,
    ("Yang 2020", 500.0, None): None,
    ("Liu 2019", 500.0, LOW): np.nextafter(1000.0, np.inf),
    ("Han 2020", 500.0, LOW): 200.0,
    ("Han 2020", 500.0, NO_DNA): None,
    ("Han 2020", 0.0, NO_DNA): np.inf,
    ("Li 2021", 0.0, NO_DNA): 100.0,
    ("Seto 2014", 0.0, NO_DNA): 10.0,
    ("Seto 2014", 500.0, LOW): None,
    ("Kusumoto 2015", 0.0, NO_DNA): 11.0,
    ("Kusumoto 2015", 500.0, LOW): None,
}


@pytest.mark.parametrize(("case", "threshold"), BY_THE_TABLES.items())
def test_thresholds_are_those_of_the_tables(
    case: tuple[str, float, float | None], threshold: float | None
) -> None:
    name, hbsag, baseline = case
    before = LOW if baseline is None else baseline
    options = {"definition": name} | ({"baseline": "none"} if baseline is None else {})

    def judged(level: float) -> float:
        return one([before, before, level, level, level, level], hbsag, **options)[
            "hbv_reactivation"
        ]

    if threshold is None:
        assert np.isnan(judged(1e9))
    elif np.isinf(threshold):
        assert judged(1e9) == 0.0
    else:
        assert judged(threshold) == 1.0
        assert judged(np.nextafter(threshold, 0.0)) == 0.0


def test_every_definition_is_in_the_table_of_thresholds() -> None:
    assert {name for name, _, _ in BY_THE_TABLES} == set(DEFINITIONS)


def test_one_endpoint_a_guideline_with_variables_of_its_own() -> None:
    endpoints = by_guideline(detection_limit=20.0)
    assert list(endpoints)[:3] == [
        "hbv_reactivation_aasld_2018",
        "hbv_reactivation_asco_2020",
        "hbv_reactivation_aga_2015",
    ]
    assert [e.definition for e in endpoints.values()] == list(DEFINITIONS)
    assert {e.detection_limit for e in endpoints.values()} == {20.0}
    assert {e.every for e in endpoints.values()} == {28.0}
    dna, antigen = np.array([[50.0] * 2 + [600.0] * 4]), np.full((1, 6), 500.0)
    saved = {"hbv_dna": dna, "hbsag": antigen}
    found: dict[str, EndpointValues] = {}
    for name, endpoint in endpoints.items():
        values = endpoint.evaluate(kept(saved))
        assert not set(values) & set(found)
        assert name in values
        found |= values
    assert found["hbv_reactivation_aga_2015"].values[0] == 1.0
    assert found["hbv_reactivation_aasld_2018"].values[0] == 0.0


def test_visits_by_guideline() -> None:
    names = ["AASLD 2018", "Seto 2014", "Han 2020"]
    assert [e.every for e in by_guideline(names, every=14.0).values()] == [14.0] * 3
    assert [e.every for e in by_guideline(names, every="longest").values()] == [84.0, 28.0, 28.0]
    assert [e.every for e in by_guideline(names, every="shortest").values()] == [28.0] * 3


def test_definitions_that_would_share_a_name_are_refused() -> None:
    mine = Definition("AASLD: 2018", "this test", DEFINITIONS["AASLD 2018"].criteria)
    with pytest.raises(ScenarioError, match="'hbv_reactivation_aasld_2018', which is taken"):
        by_guideline(["AASLD 2018", mine])
    with pytest.raises(ScenarioError, match="Did you mean 'detection_limit'"):
        by_guideline(detection_limits=20.0)
    with pytest.raises(ScenarioError, match="Did you mean 'shortest'"):
        by_guideline(every="shortes")  # type: ignore[arg-type]


def test_unknown_definition_offers_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'AASLD 2018'"):
        HBVReactivation("AASLD2018")


def test_numbers_must_be_positive() -> None:
    with pytest.raises(ScenarioError, match=r"every = 0\.0 must be a finite number above zero"):
        HBVReactivation(every=0.0)


def test_baseline_is_a_day_or_a_word() -> None:
    with pytest.raises(ScenarioError, match="'start' or 'none'"):
        HBVReactivation(baseline="begin")  # type: ignore[arg-type]


def aasld_by_hand(dna: list[float], hbsag: list[float]) -> float | None:
    """Day of reactivation of one patient, one visit after the other."""
    for day, virus, antigen in zip(TIMES[1:], dna[1:], hbsag[1:], strict=True):
        if hbsag[0] >= 0.05:
            threshold = 100 * dna[0] if dna[0] >= 10 else 1000.0
            if virus >= threshold:
                return float(day)
        elif (virus >= 10 and dna[0] < 10) or antigen >= 0.05:
            return float(day)
    return None


LEVELS = st.sampled_from([0.0, 1e-6, 9.99, 10.0, 50.0, 999.0, 1000.0, 5000.0, 1e4, 1e8])
ANTIGENS = st.sampled_from([0.0, 0.049, 0.05, 500.0])
PATIENTS = st.lists(
    st.tuples(st.lists(LEVELS, min_size=6, max_size=6), st.lists(ANTIGENS, min_size=6, max_size=6)),
    min_size=1,
    max_size=12,
)


@given(PATIENTS)
def test_a_block_is_judged_as_each_patient_by_hand(
    patients: list[tuple[list[float], list[float]]],
) -> None:
    dna = [virus for virus, _ in patients]
    hbsag = [antigen for _, antigen in patients]
    result = judge(dna, hbsag, HBVReactivation())
    expected = [aasld_by_hand(*patient) for patient in patients]
    days = [np.nan if day is None else day for day in expected]
    np.testing.assert_array_equal(result["hbv_reactivation_time"].values, days)
    np.testing.assert_array_equal(result["hbv_reactivation"].values, np.isfinite(days) * 1.0)


@given(PATIENTS, st.sampled_from(sorted(DEFINITIONS)), st.data())
def test_patients_do_not_see_their_neighbors(
    patients: list[tuple[list[float], list[float]]], name: str, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(patients))))
    dna, hbsag = [p[0] for p in patients], [p[1] for p in patients]
    whole = judge(dna, hbsag, HBVReactivation(name))
    moved = judge([dna[i] for i in order], [hbsag[i] for i in order], HBVReactivation(name))
    for variable, each in whole.items():
        np.testing.assert_array_equal(each.values[order], moved[variable].values)
