"""Named strategies: the items they stand for, what they refuse, and that they survive storing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from carsim.config import read_text
from carsim.endpoints import (
    BCellAplasia,
    CRSGrade,
    HBVReactivation,
    HepatitisFlare,
    Remission,
)
from carsim.errors import ConfigError, ScenarioError
from carsim.registry import load_model
from carsim.scenario import Scenario
from carsim.sweep.axes import takes_arrays
from carsim.therapy import (
    ITEMS,
    STRATEGIES,
    Assay,
    Baseline,
    Bundle,
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Item,
    Rule,
    SetParameter,
)
from carsim.therapy.strategies import (
    CytokineReleaseCare,
    ImmunoglobulinReplacement,
    Lymphodepletion,
    NoAntiviral,
    OnDemand,
    Preemptive,
    Prophylaxis,
    Reinfusion,
    SalvageTherapy,
    SplitDose,
    VaccineBoost,
)

MONTH = 365.25 / 12


def rule(bundle: Bundle, name: str) -> Rule:
    item = bundle.parts()[name]
    assert isinstance(item, Rule)
    return item


def scenario(**therapy: Item) -> Scenario:
    return Scenario(load_model("cart_hbv"), therapy=therapy, start=-14.0, stop=365.0)


# Antivirals


def test_no_antiviral_is_an_empty_arm() -> None:
    assert NoAntiviral().parts() == {}
    built = scenario(antiviral=NoAntiviral(), cells=Dose("car_t", 7e7, at=0.0))
    assert list(built.items) == ["cells"]


@pytest.mark.parametrize(
    ("guideline", "depleted", "other"),
    [
        ("AASLD 2018", 12.0, 6.0),
        ("AGA 2015", 12.0, 6.0),
        ("APASL 2016", 12.0, 12.0),
        ("EASL 2017", 18.0, 12.0),
        ("ASCO 2020", 12.0, 6.0),
    ],
)
def test_prophylaxis_lasts_as_long_as_the_guideline_says(
    guideline: str, depleted: float, other: float
) -> None:
    assert Prophylaxis(guideline=guideline).duration == depleted
    assert Prophylaxis(guideline=guideline, b_cell_depletion=False).duration == other
    assert Prophylaxis(guideline=guideline).parts() == {
        "treatment": Infusion("entecavir", start=-7.0, stop=depleted * MONTH, rate=0.5)
    }


def test_prophylaxis_without_a_guideline_is_that_of_aasld() -> None:
    assert Prophylaxis().parts() == Prophylaxis(guideline="AASLD 2018").parts()


def test_prophylaxis_of_own_duration_counts_from_the_infusion() -> None:
    own = Prophylaxis(months=np.array([0.0, 6.0]), infusion=10.0, start=3.0)
    expected = np.array([10.0, 10.0 + 6.0 * MONTH])
    assert own.parts()["treatment"] == Infusion("entecavir", start=3.0, stop=expected, rate=0.5)


def test_prophylaxis_after_recovery_of_b_cells_is_ended_by_a_rule() -> None:
    parts = Prophylaxis(counted_from="b_cell_recovery", months=6.0, infusion=2.0).parts()
    assert parts == {
        "treatment": Infusion("entecavir", start=-7.0, rate=0.5),
        "aplasia": Rule("b_cells", below=10.0, every=28.0, start=2.0),
        "recovery": Rule(
            "b_cells",
            above=10.0,
            do=Discontinue("treatment"),
            every=28.0,
            start=2.0,
            consecutive=2,
            delay=6.0 * MONTH,
            after="aplasia",
        ),
    }


def test_daily_tablets_are_doses_and_constant_dosing_is_their_average() -> None:
    daily = Prophylaxis(months=6.0, dosing="daily", dose=1.0, adherence=0.8).parts()["treatment"]
    assert daily == Dose("entecavir", 1.0, at=-7.0, every=1.0, until=6.0 * MONTH, adherence=0.8)
    constant = Prophylaxis(months=6.0, dose=1.0, adherence=0.8).parts()["treatment"]
    assert constant == Infusion("entecavir", start=-7.0, stop=6.0 * MONTH, rate=0.8)
    always = Prophylaxis(dosing="daily").parts()["treatment"]
    assert isinstance(always, Dose)
    assert always.adherence is None


def test_resistance_and_discontinuation_are_hazards() -> None:
    parts = Prophylaxis(resistance=True, fold_resistance=30.0, discontinuation=1e-3).parts()
    assert parts["resistance"] == Hazard(
        "entecavir_resistance_hazard", do=SetParameter("entecavir.fold_resistance", 30.0)
    )
    assert parts["discontinuation"] == Hazard(1e-3, do=Discontinue("treatment"))
    assert "resistance" not in Prophylaxis().parts()
    assert "resistance" in Preemptive(resistance=True).parts()
    assert "resistance" in OnDemand(resistance=True).parts()


def test_preemptive_treatment_begins_at_the_detection_limit_and_goes_on() -> None:
    assert Preemptive().parts() == {
        "detection": Rule(
            "hbv_dna",
            above=10.0,
            do=Infusion("entecavir", rate=0.5),
            every=28.0,
            start=0.0,
            assay=Assay(detection_limit=10.0),
        )
    }
    higher = Preemptive(above=100.0, consecutive=2, delay=14.0, assay=Assay(20.0, cv=0.3))
    found = rule(higher, "detection")
    assert (found.above, found.consecutive, found.delay) == (100.0, 2, 14.0)
    assert found.assay == Assay(20.0, cv=0.3)


@pytest.mark.parametrize(
    # 28-day visits: the first undetectable one, and those of the months after it.
    ("months", "visits"),
    [(0.0, 1), (0.5, 2), (6.0, 8), (12.0, 15), (28.0 / MONTH, 2)],
)
def test_consolidation_is_a_row_of_undetectable_visits(months: float, visits: int) -> None:
    preemptive = Preemptive(consolidation=months)
    stop = rule(preemptive, "stop")
    assert (stop.consecutive, stop.below, stop.after) == (visits, 0.0, "detection")
    assert stop.do == (Discontinue("detection"),)
    # It may begin once more after that, and not while it runs.
    begin = rule(preemptive, "detection")
    assert (begin.limit, begin.unless_running) == (2, True)


def test_on_demand_either_sign_begins_unless_the_other_has() -> None:
    tablets = Dose("entecavir", 0.5, every=1.0)
    on_demand = OnDemand(definition="APASL 2016", dosing="daily")
    visits: dict[str, Any] = {"every": 28.0, "start": 0.0}
    carrier = Baseline("hbsag", at_least=0.05)
    assert on_demand.parts() == {
        "flare": Rule(
            "alt",
            above=np.nextafter(100.0, np.inf),
            fold_of_baseline=3.0,
            do=tablets,
            unless=["reactivation_1", "reactivation_2"],
            **visits,
        ),
        "reactivation_1": Rule(
            "hbv_dna",
            above=10.0,
            fold_of_baseline=100.0,
            for_whom=[carrier, Baseline("hbv_dna", at_least=10.0)],
            do=tablets,
            unless=["flare", "reactivation_2"],
            assay=Assay(10.0),
            **visits,
        ),
        "reactivation_2": Rule(
            "hbv_dna",
            above=100.0,
            fold_of_baseline=0.0,
            for_whom=[
                carrier,
                Baseline("hbv_dna", less_than=10.0),
                Baseline("hbv_dna", less_than=100.0),
            ],
            do=tablets,
            unless=["flare", "reactivation_1"],
            assay=Assay(10.0),
            **visits,
        ),
    }
    stops = OnDemand(definition="APASL 2016", consolidation=6.0)
    for sign in ("flare", "reactivation_1", "reactivation_2"):
        stop = rule(stops, f"stop_after_{sign}")
        assert stop.after == sign
        assert stop.do == tuple(
            Discontinue(name) for name in ("flare", "reactivation_1", "reactivation_2")
        )


def test_strategies_act_on_what_the_endpoints_report() -> None:
    """The same numbers by default, so that a strategy and its endpoint agree on the event."""
    on_demand, reactivation, flare = OnDemand(), HBVReactivation(), HepatitisFlare()
    assert on_demand.definition == reactivation.definition
    assert on_demand.flare == flare.criterion
    assert on_demand.every == reactivation.every == flare.every
    assert on_demand.assay == Assay(detection_limit=reactivation.detection_limit)
    assert on_demand.hbsag_limit == reactivation.hbsag_limit
    salvage, remission = SalvageTherapy(), Remission()
    assert (salvage.remission, salvage.relapse) == (remission.threshold, remission.relapse)
    assert salvage.every == remission.every == remission.response_day
    assert rule(SalvageTherapy(refractory=False), "remission").start == remission.every
    aplasia = BCellAplasia()
    for strategy in (Prophylaxis(), Reinfusion()):
        assert strategy.aplastic_below == strategy.recovered_above == aplasia.threshold
    model = load_model("cart_hbv")
    grades = [model.parameter_index[f"cytokine.grade_{grade}"] for grade in (1, 2, 3, 4)]
    assert tuple(model.parameters[k].value for k in grades) == CRSGrade().thresholds


# Cytokine release


@pytest.mark.parametrize(
    ("weight", "amount"),
    [(70.0, 560.0), (100.0, 800.0), (130.0, 800.0), (30.0, 240.0), (20.0, 240.0)],
)
def test_tocilizumab_goes_by_weight(weight: float, amount: float) -> None:
    care = CytokineReleaseCare(weight=weight)
    assert care.tocilizumab_amount == amount
    assert rule(care, "tocilizumab").do == (Dose("tocilizumab", amount),)


def test_weight_may_differ_between_patients() -> None:
    care = CytokineReleaseCare(weight=np.array([20.0, 70.0, 130.0]))
    assert np.array_equal(care.tocilizumab_amount, [240.0, 560.0, 800.0])


def test_tocilizumab_is_spaced_and_limited() -> None:
    given = rule(CytokineReleaseCare(), "tocilizumab")
    assert (given.limit, given.spacing, given.every) == (4, 8 / 24, 8 / 24)
    assert (given.above, given.start, given.until) == (2.0, 0.0, 30.0)
    six_hours = CytokineReleaseCare(tocilizumab_every=0.25, tocilizumab_doses=3)
    assert rule(six_hours, "tocilizumab").spacing == 0.25


def test_dexamethasone_follows_grade_3_or_failure_of_tocilizumab() -> None:
    care = CytokineReleaseCare()
    severe, refractory = rule(care, "severe"), rule(care, "refractory")
    assert severe.above == 3.0
    assert severe.after is None
    course = Dose("dexamethasone", 10.0, every=0.25)
    assert (severe.do, severe.unless) == ((course,), ("refractory",))
    assert (refractory.above, refractory.after) == (2.0, "tocilizumab")
    # 12 hours: seen at three visits, six hours apart.
    assert refractory.consecutive == 3
    assert (refractory.do, refractory.unless) == ((course,), ("severe",))
    for name in ("severe", "refractory"):
        settled = rule(care, f"{name}_settled")
        assert settled.do == (Discontinue(name),)
        assert settled.while_running == name
        assert settled.every == care.dexamethasone_every


# Supportive care and cells


def test_immunoglobulin_is_given_at_every_visit_with_low_igg() -> None:
    assert ImmunoglobulinReplacement(below=5.0, amount=3.0).parts() == {
        "replacement": Rule(
            "igg", below=5.0, do=Dose("ivig", 3.0), every=28.0, start=0.0, limit=None
        )
    }


def test_vaccinations_are_one_item() -> None:
    assert VaccineBoost().parts() == {"vaccinations": Dose("vaccine", 1.0, at=(30.0, 60.0, 90.0))}
    monthly = VaccineBoost(at=20.0, every=30.0, count=4)
    assert monthly.parts()["vaccinations"] == Dose("vaccine", 1.0, at=20.0, every=30.0, count=4)


def test_lymphodepletion_is_a_dose_a_day() -> None:
    dose = Lymphodepletion(depth=np.array([0.5, 1.0])).parts()["course"]
    assert dose == Dose("lymphodepletion", np.array([0.5, 1.0]), at=(-5.0, -4.0, -3.0))


def test_split_dose_sums_to_the_total() -> None:
    dose = SplitDose(total=1e8).parts()["cells"]
    assert dose == Dose("car_t", (1e7, 3e7, 6e7), at=(0.0, 1.0, 2.0))
    by_patient = SplitDose(total=np.array([1e8, 2e8]), fractions=(0.5, 0.5), days=(0.0, 7.0))
    cells = by_patient.parts()["cells"]
    assert isinstance(cells, Dose)
    assert np.array_equal(cells.amount, [[5e7, 5e7], [1e8, 1e8]])


def test_scheduled_reinfusion_is_conditioned_on_the_days_before() -> None:
    assert Reinfusion(at=120.0).parts() == {
        "conditioning": Dose("lymphodepletion", 1.0, at=(115.0, 116.0, 117.0)),
        "cells": Dose("car_t", 7e7, at=120.0),
    }
    by_patient = Reinfusion(at=np.array([100.0, 120.0])).parts()["conditioning"]
    assert isinstance(by_patient, Dose)
    assert np.array_equal(by_patient.at, [[95.0, 96.0, 97.0], [115.0, 116.0, 117.0]])  # type: ignore[arg-type]
    assert list(Reinfusion(at=120.0, lymphodepletion=False).parts()) == ["cells"]


def test_reinfusion_on_recovery_takes_time_to_prepare() -> None:
    recovery = rule(Reinfusion(preparation=10.0), "recovery")
    assert recovery.after == "aplasia"
    assert recovery.do == (
        Dose("lymphodepletion", 1.0, at=(10.0, 11.0, 12.0)),
        Dose("car_t", 7e7, at=15.0),
    )
    alone = rule(Reinfusion(preparation=10.0, lymphodepletion=False), "recovery")
    assert alone.do == (Dose("car_t", 7e7, at=10.0),)


# What is refused


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Prophylaxis(guideline="AASLD 2017"), "Did you mean 'AASLD 2018'"),
        (lambda: Prophylaxis(guideline="EASL 2017", months=6.0), "contradict each other"),
        (lambda: Prophylaxis(months=-1.0), "months = -1 is negative"),
        (lambda: Prophylaxis(counted_from="infusions"), "Did you mean 'infusion'"),
        (lambda: Prophylaxis(dosing="weekly"), "Give one of 'constant', 'daily'"),
        (lambda: Prophylaxis(adherence=1.2), "Give a share, 0 to 1"),
        (lambda: Prophylaxis(resistance="yes"), "Give true or false"),  # type: ignore[arg-type]
        (lambda: Prophylaxis(drug=""), "drug = '' is not a name"),
        (
            lambda: Prophylaxis(counted_from="b_cell_recovery", infusion=np.zeros(2)),
            "infusion is an array, but visits count from it",
        ),
        (lambda: Prophylaxis(every=0.0), "every = 0. It must be above 0"),
        (lambda: Preemptive(every=-7.0), "every = -7. It must be above 0"),
        (lambda: Preemptive(assay=Assay()), "without a limit HBV DNA is always detected"),
        (lambda: Preemptive(assay=10.0), "Give Assay"),  # type: ignore[arg-type]
        (lambda: Preemptive(consolidation=-1.0), "consolidation = -1 is negative"),
        (lambda: Preemptive(consecutive=0), "consecutive = 0. Give a whole number"),
        (lambda: OnDemand(definition="AASLD 2017"), "OnDemand.*Did you mean 'AASLD 2018'"),
        (lambda: OnDemand(definition=["a"]), "OnDemand has no definition"),  # type: ignore[arg-type]
        (lambda: OnDemand(flare="Chang 2015"), "OnDemand.*Did you mean 'Chang 2014'"),
        (lambda: OnDemand(hbsag_limit=0.0), "hbsag_limit = 0. It must be above 0"),
        (lambda: SalvageTherapy(relapse=1e7), "A relapse comes after a remission"),
        (lambda: OnDemand(start=np.zeros(2)), "start is an array"),  # type: ignore[arg-type]
        (lambda: CytokineReleaseCare(weight=0.0), "Give the body weight in kg"),
        (
            lambda: CytokineReleaseCare(tocilizumab_every=0.25),
            "allows 4 doses in 24 hours, and 3 are the most",
        ),
        (lambda: CytokineReleaseCare(tocilizumab_doses=0), "Give a whole number from 1"),
        (lambda: CytokineReleaseCare(dexamethasone_grade=1.0), "Dexamethasone comes second"),
        (lambda: CytokineReleaseCare(settled_grade=2.0), "give a lower grade"),
        (lambda: ImmunoglobulinReplacement(below=-1.0), "below = -1 is negative"),
        (lambda: VaccineBoost(at=30.0, count=3), "needs the interval"),
        (lambda: VaccineBoost(at=[]), "at is empty"),
        (lambda: SplitDose(fractions=(0.1, 0.3)), "2 fractions for 3 days"),
        (lambda: SplitDose(fractions=(0.1, 0.3, 0.5)), "fractions sum to 0.9"),
        (lambda: SplitDose(fractions=(-0.1, 0.5, 0.6)), "fractions = -0.1"),
        (lambda: SplitDose(days=np.zeros(3)), "days is an array"),  # type: ignore[arg-type]
        (lambda: Reinfusion(conditioning=(-1.0, 0.0)), "give negative days"),
        (lambda: Reinfusion(at=[100.0, 200.0]), "at = .* is a list"),  # type: ignore[arg-type]
        (lambda: Lymphodepletion(depth=-1.0), "depth = -1 is negative"),
    ],
)
def test_refusals_say_what_to_do(make: Callable[[], Bundle], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        make()


def test_names_that_the_model_lacks_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"therapy\.antiviral\.detection: .*'hbv_dna'"):
        scenario(antiviral=Preemptive(hbv_dna="hbvdna"))
    with pytest.raises(ScenarioError, match=r"therapy\.antiviral\.treatment: .*'entecavir'"):
        scenario(antiviral=Prophylaxis(drug="entecavr"))


def test_arrays_count_as_patients() -> None:
    built = scenario(antiviral=Prophylaxis(months=np.array([6.0, 12.0, 18.0])))
    assert built.n_patients == 3
    with pytest.raises(ScenarioError, match="makes 3 patients"):
        scenario(
            antiviral=Prophylaxis(months=np.array([6.0, 12.0, 18.0])),
            crs=CytokineReleaseCare(weight=np.array([60.0, 70.0])),
        )


# Storing, changing, config files

FULL: dict[str, Item] = {
    "antiviral": Preemptive(consolidation=6.0, resistance=True, assay=Assay(20.0, cv=0.2)),
    "conditioning": Lymphodepletion(depth=np.array([0.8, 1.2])),
    "cells": SplitDose(),
    "crs": CytokineReleaseCare(weight=np.array([60.0, 80.0])),
    "ivig": ImmunoglobulinReplacement(),
    "vaccine": VaccineBoost(),
    "again": Reinfusion(),
}


def test_scenario_with_strategies_is_stored_and_rebuilt() -> None:
    built = scenario(**FULL)
    again = Scenario.from_dict(built.to_dict())
    assert again == built
    assert again.therapy == built.therapy


@pytest.mark.parametrize("kind", STRATEGIES)
def test_every_strategy_has_defaults_and_is_stored(kind: str) -> None:
    strategy = ITEMS[kind]()
    built = scenario(it=strategy)
    assert Scenario.from_dict(built.to_dict()).therapy["it"] == strategy
    assert dataclasses.replace(strategy) == strategy


def test_one_field_may_be_replaced() -> None:
    built = scenario(**FULL).replace("therapy.antiviral.assay.cv", 0.0)
    changed = built.therapy["antiviral"]
    assert isinstance(changed, Preemptive)
    assert changed.assay == Assay(20.0)
    with pytest.raises(ScenarioError, match=r"therapy\.antiviral.*every = 0"):
        built.replace("therapy.antiviral.every", 0.0)


CONFIG = """
model = "cart_hbv"

[time]
start = -14.0
stop = 365.0

[therapy.antiviral]
kind = "preemptive"
every = 28.0
consolidation = 6.0
assay = { detection_limit = 20.0, cv = 0.2 }

[therapy.conditioning]
kind = "lymphodepletion"
at = [-4.0, -3.0]
depth = 1.5

[therapy.cells]
kind = "split_dose"
total = 1e8

[therapy.crs]
kind = "cytokine_release_care"
weight = 60.0

[therapy.again]
kind = "reinfusion"
at = 200.0
lymphodepletion = false
"""


def test_config_names_strategies() -> None:
    therapy = read_text(CONFIG).scenario.therapy
    assert therapy == {
        "antiviral": Preemptive(consolidation=6.0, assay=Assay(20.0, cv=0.2)),
        "conditioning": Lymphodepletion(at=[-4.0, -3.0], depth=1.5),
        "cells": SplitDose(total=1e8),
        "crs": CytokineReleaseCare(weight=60.0),
        "again": Reinfusion(at=200.0, lymphodepletion=False),
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"preemptive"', '"premptive"', "Did you mean 'preemptive'"),
        ("every = 28.0", "evry = 28.0", r"therapy\.antiviral\.evry: unknown key.*'every'"),
        ("weight = 60.0", 'weight = "60 kg"', "therapy.crs: .*weight = '60 kg' is not a number"),
        ("cv = 0.2", "sigma = 0.2", r"therapy\.antiviral\.assay\.sigma: unknown key"),
        ("false", '"no"', r"therapy\.again: .*lymphodepletion = 'no'. Give true or false"),
    ],
)
def test_config_refuses_what_a_strategy_does_not_know(old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_text(CONFIG.replace(old, new))


def test_fields_by_patient_can_vary_along_an_axis_in_one_go() -> None:
    built = scenario(antiviral=Prophylaxis(months=6.0), crs=CytokineReleaseCare())
    vectors = ("antiviral.months", "antiviral.start", "antiviral.dose", "crs.weight")
    assert all(takes_arrays(built, path) for path in vectors)
    assert not any(takes_arrays(built, path) for path in ("antiviral.every", "crs.until"))
