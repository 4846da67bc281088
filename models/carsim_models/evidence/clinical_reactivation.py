"""Cohorts in whom hepatitis B came back beside virtual cohorts.

Used by the calibration (models/calibration/reactivation.py): Li 2021, Wang 2020, Seto 2014, Cheng
2003, the range of Kusumoto 2014, and Hui 2005 below 2,000 IU/mL. The rest is predicted. Each cohort
with its own definition, visits, serostatus and antiviral; where its abstract does not say, the row
says what was taken. Tolerances: those set before the calibration, or the exact 95 % interval of
the counts.

There is no cohort of HBsAg-positive CAR-T patients without antiviral.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from carsim import Cited, Derived
from carsim.population import Component
from carsim.verification import Findings, check, counted, percentage, within
from carsim_models.cart_hbv.populations import carriers, resolved, spread
from carsim_models.evidence.reactivation_cohorts import (
    ASSAY_OF_2003,
    ASSAY_OF_THE_TRIALS,
    MONTH,
    WEEK,
    Courses,
    antiviral,
    car_t_therapy,
    chemotherapy,
    happened,
    run,
)

Array = NDArray[np.float64]

PATIENTS = 1000
TWO_YEARS = 24 * MONTH

# Three months after the last of six cycles.
STOPPED = 126.0 + 90.0

LI = Cited("10.3389/fimmu.2021.638678", "abstract")
WANG = Cited("10.1038/s41375-020-0936-4", "abstract")
CAO = Cited("10.1182/blood.2020004907", "letter, and World J Gastroenterol 29:4942, Table 1")
SETO = Cited("10.1200/JCO.2014.56.7081", "abstract")
HUANG = Cited("10.1200/JCO.2012.48.5938", "abstract")
CHENG = Cited("10.1053/jhep.2003.50220", "abstract")
WEI = Cited("10.1186/s40425-019-0790-y", "abstract")
REVIEW = "World J Gastroenterol 2023;29:4942, Table 1"
POOLED = Derived("counts of Wang 2020, Li 2021, Cui 2021 and Cao 2020 added up")
POOLED_ON = Derived("counts of Cao 2020, Wang 2020, Liu 2019, Yang 2020 and Cui 2021 added up")

AT_VISITS = "visits every 28 days, limit of detection 10 IU/mL"
IN_TRIALS = "visits every 28 days, limit of detection 100 IU/mL (that of Li 2021)"
DNA_100 = "Li 2021: HBV DNA of 100 IU/mL or more at two visits; visits every 28 days"
TEN_IU = "HBV DNA of 10 IU/mL or more; " + AT_VISITS
OF_2003 = (
    "tenfold rise or de novo detectable, limit of detection 20,000 IU/mL (an assay of the time; "
    "the paper's definition and assay were not read)"
)
TEN_FOLD = "tenfold rise or de novo detectable (AGA 2015); " + AT_VISITS


def without_antibody() -> list[Component]:
    """Resolved patients without anti-HBs."""
    return [resolved(spread(), antibody=False)]


def with_antibody() -> list[Component]:
    """Resolved patients with anti-HBs."""
    return [resolved(spread(), antibody=True)]


def mixed(without: int, having: int) -> list[Component]:
    """Resolved patients, so many without and with anti-HBs."""
    s = spread()
    return [
        resolved(s, antibody=False, weight=without),
        resolved(s, antibody=True, weight=having),
    ]


@cache
def car_t(antibody: bool) -> Courses:
    """Resolved CAR-T patients without antiviral."""
    who = with_antibody() if antibody else without_antibody()
    return run(spread(), who, car_t_therapy(), PATIENTS, 11, stop=TWO_YEARS, car_t=True)


@cache
def car_t_mixed() -> Courses:
    """Resolved CAR-T patients without antiviral, 9 without and 21 with anti-HBs (Li 2021)."""
    return run(spread(), mixed(9, 21), car_t_therapy(), PATIENTS, 12, stop=TWO_YEARS, car_t=True)


@cache
def car_t_treated() -> Courses:
    """HBsAg-positive CAR-T patients, on entecavir for three months before and ever after."""
    s = spread()
    return run(
        s,
        carriers(s),
        {**car_t_therapy(), **antiviral(s, -90.0, TWO_YEARS)},
        PATIENTS,
        13,
        start=-97.0,
        baseline=-7.0,
        stop=365.0,
        car_t=True,
    )


@cache
def immunochemotherapy(antibody: bool) -> Courses:
    """Resolved patients with lymphoma under rituximab and CHOP."""
    s = spread()
    who = with_antibody() if antibody else without_antibody()
    return run(s, who, chemotherapy(s), PATIENTS, 14, stop=TWO_YEARS)


@cache
def carriers_under_chemotherapy(*, steroid: bool, rituximab: bool) -> Courses:
    """HBsAg-positive patients with lymphoma, no antiviral."""
    s = spread()
    therapy = chemotherapy(s, steroid=steroid, rituximab=rituximab)
    return run(s, carriers(s), therapy, PATIENTS, 15, stop=365.0)


def found_in_trial(courses: Courses, definition: str, baseline: float | None = None) -> Array:
    """Day at which a CAR-T cohort from China finds reactivation, infinite without it."""
    return courses.reactivation(definition, baseline=baseline, detection_limit=ASSAY_OF_THE_TRIALS)


@check(
    "Li 2021: resolved, CAR-T, no antiviral", kind="cohort fitted", model="cart_hbv", quick=False
)
def li() -> Findings:
    return Findings(
        (
            counted(
                "reactivation without anti-HBs",
                2,
                9,
                happened(car_t(False).reactivation("Li 2021")),
                LI,
                bounds=(5.0, 45.0),
                definition=DNA_100,
            ),
            counted(
                "reactivation with anti-HBs",
                0,
                21,
                happened(car_t(True).reactivation("Li 2021")),
                LI,
                bounds=(0.0, 5.0),
                definition=DNA_100,
            ),
        )
    )


@check("Li 2021: late reactivations", kind="cohort predicted", model="cart_hbv", quick=False)
def li_times() -> Findings:
    days = car_t(False).reactivation("Li 2021")
    late = days[np.isfinite(days)] > 6 * MONTH
    return Findings(
        (
            counted(
                "reactivations found after month 6, no anti-HBs",
                1,
                2,
                late,
                LI,
                bounds=(25.0, 100.0),
                definition=DNA_100 + "; months 2 and 14 in the cohort",
            ),
        )
    )


@check("Wang 2020: CAR-T", kind="cohort fitted", model="cart_hbv", quick=False)
def wang() -> Findings:
    treated = found_in_trial(car_t_treated(), "Wang 2020", -7.0)
    words = "more than tenfold rise, de novo, or HBsAg back, within a year; " + IN_TRIALS + "; "
    return Findings(
        (
            counted(
                "resolved, no antiviral",
                1,
                29,
                happened(found_in_trial(car_t_mixed(), "Wang 2020"), 365.0),
                WANG,
                definition=words + "30 % without anti-HBs as in Li 2021",
            ),
            counted(
                "HBsAg-positive on antiviral",
                2,
                12,
                happened(treated),
                WANG,
                definition=words + "entecavir since three months",
            ),
        )
    )


@check("Wang 2020: no hepatitis flare", kind="cohort predicted", model="cart_hbv", quick=False)
def wang_flares() -> Findings:
    return Findings(
        (
            counted(
                "hepatitis flare, HBsAg-positive on antiviral",
                0,
                12,
                car_t_treated().flare(),
                WANG,
                bounds=(0.0, 2.0),
                definition="ALT at least 3 times baseline and above 100 U/L",
            ),
        )
    )


@check("Cao 2020: CAR-T", kind="cohort predicted", model="cart_hbv", quick=False)
def cao() -> Findings:
    treated = found_in_trial(car_t_treated(), "AASLD 2018", -7.0)
    return Findings(
        (
            counted(
                "HBsAg-positive on entecavir",
                1,
                19,
                happened(treated),
                CAO,
                definition="AASLD 2018; " + IN_TRIALS,
            ),
            counted(
                "resolved, no antiviral",
                0,
                35,
                happened(found_in_trial(car_t_mixed(), "AASLD 2018"), 365.0),
                CAO,
                definition="AASLD 2018 within a year; 30 % without anti-HBs as in Li 2021; "
                + IN_TRIALS,
            ),
        )
    )


@check(
    "Cui 2021, Yang 2020, Liu 2019: CAR-T", kind="cohort predicted", model="cart_hbv", quick=False
)
def smaller_cohorts() -> Findings:
    treated = car_t_treated()
    cui = Derived(f"Cui 2021 as tabulated in {REVIEW}, and car-team.it")
    yang = Derived(f"Yang 2020: 20 % of 15, {REVIEW}")
    liu = Derived(f"Liu 2019, ASH abstract 2913: none of 6; {REVIEW}")
    return Findings(
        (
            counted(
                "Cui 2021: HBsAg-positive on antiviral",
                0,
                5,
                happened(found_in_trial(treated, "AASLD 2018", -7.0)),
                cui,
                definition="AASLD 2018 (the paper's was not read)",
            ),
            counted(
                "Cui 2021: resolved, no antiviral",
                1,
                13,
                happened(found_in_trial(car_t_mixed(), "AASLD 2018"), 365.0),
                cui,
                definition="AASLD 2018 within a year (the paper's was not read)",
            ),
            counted(
                "Yang 2020: HBsAg-positive on antiviral",
                3,
                15,
                happened(found_in_trial(treated, "Yang 2020", -7.0)),
                yang,
                definition="positive from negative, or more than tenfold",
            ),
            counted(
                "Liu 2019: HBsAg-positive on entecavir",
                0,
                6,
                happened(treated.reactivation("Liu 2019", baseline=-7.0)),
                liu,
                definition="more than 1,000 IU/mL, or HBsAg back",
            ),
        )
    )


@check("CAR-T cohorts pooled", kind="cohort predicted", model="cart_hbv", quick=False)
def pooled() -> Findings:
    return Findings(
        (
            counted(
                "resolved, no antiviral",
                4,
                107,
                happened(found_in_trial(car_t_mixed(), "AASLD 2018"), 365.0),
                POOLED,
                bounds=(1.0, 9.3),
                definition="AASLD 2018 within a year, for the cohorts' different definitions",
            ),
            counted(
                "HBsAg-positive on antiviral",
                6,
                57,
                happened(found_in_trial(car_t_treated(), "Wang 2020", -7.0)),
                POOLED_ON,
                bounds=(2.0, 21.5),
                definition="Wang 2020, for the cohorts' different definitions",
            ),
        )
    )


@check(
    "Seto 2014: resolved, rituximab and chemotherapy",
    kind="cohort fitted",
    model="cart_hbv",
    quick=False,
)
def seto() -> Findings:
    return Findings(
        tuple(
            percentage(
                f"reactivation within 2 years, {words} anti-HBs",
                share,
                happened(immunochemotherapy(antibody).reactivation("Seto 2014")),
                SETO,
                bounds=(max(share - 12.0, 0.0), share + 12.0),
                definition=TEN_IU,
            )
            for antibody, words, share in ((False, "without", 68.3), (True, "with", 34.4))
        )
    )


@check(
    "Seto 2014: when, and how much virus", kind="cohort predicted", model="cart_hbv", quick=False
)
def seto_details() -> Findings:
    # 13 and 50 patients, which give 41.5 % in all.
    days, dna = [], []
    for antibody, n in ((False, 13), (True, 50)):
        courses = immunochemotherapy(antibody)
        share = PATIENTS * n // 50
        found = courses.reactivation("Seto 2014")[:share]
        event = np.isfinite(found)
        days.append(found[event])
        column = np.searchsorted(courses.day, found[event])
        dna.append(courses.saved["hbv_dna"][:share][event, column])
    all_days, all_dna = np.concatenate(days), np.concatenate(dna)
    rates = [
        -np.log1p(-np.nanmean(happened(immunochemotherapy(antibody).reactivation("Seto 2014"))))
        for antibody in (False, True)
    ]
    return Findings(
        (
            within(
                "week of reactivation, median",
                "week",
                23.0,
                float(np.median(all_days)) / WEEK,
                SETO,
                (12.0, 35.0),
                definition=TEN_IU + "; range of the cohort 4 to 100",
            ),
            within(
                "HBV DNA at detection, median",
                "IU/mL",
                43.0,
                float(np.median(all_dna)),
                SETO,
                (14.0, 920.0),
                definition=TEN_IU + "; tolerated: the range of the cohort",
            ),
            within(
                "hazard without over with anti-HBs",
                "1",
                3.51,
                float(rates[0] / rates[1]),
                SETO,
                (2.0, 6.0),
                definition="ratio of the cumulative hazards at 2 years",
            ),
        )
    )


@check(
    "Huang 2013: resolved, R-CHOP, entecavir or not",
    kind="cohort predicted",
    model="cart_hbv",
    quick=False,
)
def huang() -> Findings:
    s = spread()
    who = mixed(21, 79)
    control = run(s, who, chemotherapy(s), PATIENTS, 16, stop=18 * MONTH)
    shielded = run(
        s,
        who,
        {**chemotherapy(s), **antiviral(s, -7.0, STOPPED)},
        PATIENTS,
        16,
        stop=18 * MONTH,
    )
    rows = [
        percentage(
            f"reactivation within {months} months, no antiviral",
            share,
            happened(control.reactivation("AASLD 2018"), months * MONTH),
            HUANG,
            bounds=(max(share - 8.0, 0.0), share + 8.0),
            definition="HBV DNA detectable; 21 % without anti-HBs as in Seto 2014",
        )
        for months, share in ((6, 8.0), (12, 11.2), (18, 25.9))
    ]
    rows.append(
        percentage(
            "reactivation within 18 months, entecavir to three months after chemotherapy",
            4.3,
            happened(shielded.reactivation("AASLD 2018"), 18 * MONTH),
            HUANG,
            bounds=(0.0, 12.3),
            definition="HBV DNA detectable",
        )
    )
    return Findings(tuple(rows))


@check(
    "Cheng 2003: HBsAg-positive, chemotherapy with and without steroid",
    kind="cohort fitted",
    model="cart_hbv",
    quick=False,
)
def cheng() -> Findings:
    arms = [
        carriers_under_chemotherapy(steroid=steroid, rituximab=False) for steroid in (False, True)
    ]
    days = [arm.reactivation("AGA 2015", detection_limit=ASSAY_OF_2003) for arm in arms]
    events = [happened(each, 9 * MONTH) for each in days]
    difference = 100.0 * float(np.nanmean(events[1]) - np.nanmean(events[0]))
    return Findings(
        (
            *(
                percentage(
                    f"reactivation within 9 months, {words} steroid",
                    share,
                    event,
                    CHENG,
                    bounds=(share - 12.0, share + 12.0),
                    definition=OF_2003,
                )
                for words, share, event in (
                    ("without", 38.0, events[0]),
                    ("with", 73.0, events[1]),
                )
            ),
            within(
                "difference that the steroid makes",
                "%",
                35.0,
                difference,
                CHENG,
                (20.0, 50.0),
                definition=OF_2003,
            ),
        )
    )


@check("Cheng 2003: hepatitis", kind="cohort fitted", model="cart_hbv", quick=False)
def cheng_hepatitis() -> Findings:
    return Findings(
        tuple(
            counted(
                f"ALT above ten times normal, {words} steroid",
                events,
                n,
                carriers_under_chemotherapy(steroid=steroid, rituximab=False).alt_peak > 400.0,
                CHENG,
                definition="400 U/L, at any time within a year",
            )
            for steroid, words, events, n in ((False, "without", 3, 23), (True, "with", 11, 25))
        )
    )


@check("R-CHOP, HBsAg-positive, no antiviral", kind="cohort fitted", model="cart_hbv", quick=False)
def kusumoto() -> Findings:
    courses = carriers_under_chemotherapy(steroid=True, rituximab=True)
    return Findings(
        (
            percentage(
                "reactivation within a year",
                70.0,
                happened(courses.reactivation("AGA 2015")),
                Derived("59 to 80 %, Kusumoto, Hematology 2014;576"),
                bounds=(50.0, 85.0),
                published_interval=(59.0, 80.0),
                definition=TEN_FOLD,
            ),
        )
    )


@check(
    "HBsAg-positive lymphoma on antiviral", kind="cohort predicted", model="cart_hbv", quick=False
)
def lymphoma_on_antiviral() -> Findings:
    s = spread()
    courses = run(
        s,
        carriers(s),
        {**chemotherapy(s), **antiviral(s, -7.0, TWO_YEARS)},
        PATIENTS,
        17,
        stop=365.0,
    )
    source = Cited("10.3389/fonc.2022.989258", "abstract")
    return Findings(
        (
            counted(
                "reactivation under R-CHOP",
                9,
                128,
                happened(courses.reactivation("AASLD 2018")),
                source,
                definition="AASLD 2018 (the paper's was not read), against before the antiviral",
            ),
            counted(
                "hepatitis flare",
                0,
                128,
                courses.flare(),
                source,
                definition="ALT at least 3 times baseline and above 100 U/L",
            ),
        )
    )


@cache
def stopped() -> Courses:
    """HBsAg-positive patients whose antiviral stops three months after R-CHOP."""
    s = spread()
    therapy = {**chemotherapy(s), **antiviral(s, -7.0, STOPPED)}
    return run(s, carriers(s), therapy, PATIENTS, 18, stop=STOPPED + 365.0)


def after_withdrawal(words: str, share: float, keep: NDArray[np.bool_]) -> Findings:
    """Row of HBV DNA after the antiviral was stopped, of some patients."""
    courses = stopped()
    after = courses.day > STOPPED
    high = np.asarray((courses.saved["hbv_dna"][:, after] >= 2000.0).any(axis=1))
    return Findings(
        (
            percentage(
                f"HBV DNA of 2,000 IU/mL or more within a year, {words} 2,000 before",
                share,
                high[keep],
                Derived("Hui 2005 as quoted in a review"),
                bounds=(max(share - 15.0, 0.0), share + 15.0),
                definition="antiviral stopped three months after six cycles",
            ),
        )
    )


@check(
    "Hui 2005: antiviral stopped, little virus before",
    kind="cohort fitted",
    model="cart_hbv",
    quick=False,
)
def withdrawal_little() -> Findings:
    return after_withdrawal("less than", 10.0, stopped().saved["hbv_dna"][:, 0] < 2000.0)


@check(
    "Hui 2005: antiviral stopped, much virus before",
    kind="cohort predicted",
    model="cart_hbv",
    quick=False,
)
def withdrawal_much() -> Findings:
    return after_withdrawal("at least", 50.0, stopped().saved["hbv_dna"][:, 0] >= 2000.0)


@check(
    "Wei 2019: a carrier stops the antiviral",
    kind="cohort predicted",
    model="cart_hbv",
    quick=False,
)
def wei() -> Findings:
    s = spread()
    carrier = [component for component in carriers(s) if "inactive" in component.label]
    courses = run(
        s,
        carrier,
        {**car_t_therapy(), **antiviral(s, -30.0, 30.0)},
        PATIENTS,
        19,
        start=-37.0,
        stop=150.0,
        car_t=True,
    )
    soon = (courses.day > 45.0) & (courses.day <= 120.0)
    high = (courses.saved["hbv_dna"][:, soon] >= 1e6).any(axis=1)
    return Findings(
        (
            percentage(
                "inactive carriers with HBV DNA of 1e6 IU/mL within 4 months",
                100.0,
                high,
                WEI,
                bounds=(0.5, 100.0),
                definition="one patient, who stopped a month after the cells and had 4.5e6 IU/mL "
                "six weeks later: some virtual carriers must do so too",
            ),
        )
    )


@check(
    "Reverse seroconversion under rituximab", kind="cohort predicted", model="cart_hbv", quick=False
)
def reverse_seroconversion() -> Findings:
    s = spread()
    courses = run(s, mixed(21, 79), chemotherapy(s), PATIENTS, 20, stop=TWO_YEARS)
    hbsag = (courses.saved["hbsag"] >= 0.05).any(axis=1)
    return Findings(
        (
            counted(
                "HBsAg reappears",
                33,
                482,
                hbsag,
                Derived("6.85 % of 482, PMC4616669"),
                bounds=(1.5, 16.3),
                definition="0.05 IU/mL at a visit in 2 years; tolerated up to 16.3 (Huang 2013)",
            ),
        )
    )
