"""Trials of CD19 CAR-T cells beside virtual trials: response, cytokines, B cells, IgG.

Used by the calibration: remission in Park 2018 and ELIANA, relapse in ELIANA, CD19 at relapse in
Pulsipher 2022 (models/calibration/response.py), the grades of Hay 2017 (grades.py), the typical
courses of Stein 2019 and of the Moffitt patients in Kimmel 2021 (typical_courses.py); the spread of
CRP was chosen for its correlation with IL-6 (Lee 2015). The rest is predicted. Tolerances: the
exact 95 % interval of what was counted; 15 percentage points where only a percentage is known; an
interval where the paper prints one.

Deaths in remission are not modeled, so that event-free survival should come out too good.

The abstracts of Hay, Hill, Pasquini (CIBMTR), Pulsipher and of the re-infusions were read; the DOIs
of all but Pulsipher are as remembered.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import linregress, spearmanr

from carsim import Cited, Dose, Maximum, Solver, TimeOfMaximum, load_model, simulate
from carsim.population import LogUniform
from carsim.therapy import Item
from carsim.verification import Curve, Findings, Row, check, counted, near, percentage, within
from carsim_models.cart_hbv.populations import spread
from carsim_models.evidence.response_cohorts import (
    ADULTS,
    CHILDREN,
    FIVE_PERCENT,
    MONTH,
    Courses,
    Trial,
    run,
    therapy_of,
)

Array = NDArray[np.float64]

PATIENTS = 2000

PARK = Cited("10.1056/NEJMoa1709919", "abstract")
MAUDE = Cited("10.1056/NEJMoa1709866", "relapse-free survival")
LAETSCH = Cited("10.1200/JCO.22.00642", "abstract")
CIBMTR = Cited("10.1182/bloodadvances.2020003092", "abstract")
DOURTHE = Cited("10.1038/s41375-021-01281-7", "abstract")
PULSIPHER = Cited("10.1158/2643-3230.BCD-21-0095", "abstract")
HAY = Cited("10.1182/blood-2017-06-793141", "abstract")
HILL = Cited("10.1182/bloodadvances.2019000717", "abstract")
STEIN = Cited("10.1002/psp4.12388", "Table 1 and covariates on Cmax")
MOFFITT = Cited("10.1098/rspb.2021.0229", "median counts of the Moffitt patients")
WANG_Y = Cited("10.1111/ijlh.13375", "abstract")
WENG = Cited("10.1186/s13045-018-0572-x", "case series")

REMISSION = "under 5 % blasts on day 28 and a tenfold fall"
EVENT = "no remission, or relapse (5 % blasts at a visit); deaths in remission not modeled"
GRADE = "thresholds on the IL-6 signal, without care of cytokine release"


@cache
def children() -> Courses:
    """Virtual trial of children and young adults with 19-BBz."""
    return run(CHILDREN, spread(), PATIENTS, 1)


@cache
def adults() -> Courses:
    """Virtual trial of adults with 19-28z."""
    return run(ADULTS, spread(), PATIENTS, 2)


@cache
def adults_4_1bb() -> Courses:
    """Virtual trial of adults with 19-BBz."""
    return run(Trial("19-BBz", "adult", (1e8, 1e12), 1.4e8, 400.0), spread(), PATIENTS, 3)


def around(percent: float) -> tuple[float, float]:
    """15 percentage points on either side."""
    return max(percent - 15.0, 0.0), min(percent + 15.0, 100.0)


def free_of_relapse(courses: Courses, months: float) -> Array:
    """1 for every patient in remission who is free of relapse at that time."""
    relapse = courses.relapse_day[courses.remission]
    return np.asarray(relapse > months * MONTH, dtype=np.float64)


def median_months(days: Array, source: Cited, published: float, bounds: tuple[float, float]) -> Row:
    """Row of a median event-free survival; one that is not reached counts as the follow-up."""
    median = float(np.median(np.minimum(days, ADULTS.stop))) / MONTH
    return within(
        "median event-free survival",
        "month",
        published,
        median,
        source,
        bounds,
        published_interval=bounds,
        definition=EVENT,
    )


@check(
    "Park 2018: adults, 19-28z; remission", kind="cohort fitted", model="cart_b_all", quick=False
)
def park_remission() -> Findings:
    return Findings((counted("remission", 44, 53, adults().remission, PARK, definition=REMISSION),))


@check(
    "Park 2018: adults, 19-28z; events and severe cytokine release",
    kind="cohort predicted",
    model="cart_b_all",
    quick=False,
)
def park_events() -> Findings:
    courses = adults()
    severe = courses.worst["worst_grade"] >= 3.0
    low = courses.burden < FIVE_PERCENT
    few = median_months(courses.event_day[low], PARK, 10.6, (5.9, 29.0))
    return Findings(
        (
            median_months(courses.event_day, PARK, 6.1, (5.0, 11.5)),
            within(
                "median event-free survival, under 5 % blasts before",
                "month",
                few.published,
                few.found,
                PARK,
                (few.lowest, few.highest),
                definition=EVENT + "; upper limit not reached in the trial, its follow-up here",
            ),
            counted("severe cytokine release", 14, 53, severe, PARK, definition=GRADE),
        )
    )


@check(
    "ELIANA: children, 19-BBz; remission and relapse",
    kind="cohort fitted",
    model="cart_b_all",
    quick=False,
)
def eliana() -> Findings:
    courses = children()
    return Findings(
        (
            counted("remission", 65, 79, courses.remission, LAETSCH, definition=REMISSION),
            percentage(
                "free of relapse at 12 months",
                59.0,
                free_of_relapse(courses, 12),
                MAUDE,
                bounds=around(59.0),
            ),
            percentage(
                "free of relapse at 24 months",
                52.0,
                free_of_relapse(courses, 24),
                LAETSCH,
                bounds=around(52.0),
            ),
        )
    )


@check("ELIANA: the third year", kind="cohort predicted", model="cart_b_all", quick=False)
def eliana_late() -> Findings:
    courses = children()
    return Findings(
        (
            percentage(
                "free of relapse at 36 months",
                48.0,
                free_of_relapse(courses, 36),
                LAETSCH,
                bounds=around(48.0),
            ),
            percentage(
                "event-free at 36 months",
                44.0,
                courses.event_day > 36 * MONTH,
                LAETSCH,
                bounds=around(44.0),
                definition=EVENT,
            ),
        )
    )


@check(
    "CIBMTR registry: tisagenlecleucel", kind="cohort predicted", model="cart_b_all", quick=False
)
def cibmtr() -> Findings:
    courses = children()
    return Findings(
        (
            counted("remission", 218, 255, courses.remission, CIBMTR, bounds=around(85.5)),
            percentage(
                "event-free at 12 months",
                52.4,
                courses.event_day > 12 * MONTH,
                CIBMTR,
                bounds=around(52.4),
                definition=EVENT,
            ),
            percentage(
                "response lasts 12 months",
                60.9,
                free_of_relapse(courses, 12),
                CIBMTR,
                bounds=around(60.9),
            ),
            percentage(
                "cytokine release of grade 3 or more",
                11.6,
                courses.worst["worst_grade"] >= 3.0,
                CIBMTR,
                bounds=around(11.6),
                definition=GRADE + "; the registry counts lymphoma too",
            ),
        )
    )


@check("Dourthe 2021: children, 19-BBz", kind="cohort predicted", model="cart_b_all", quick=False)
def dourthe() -> Findings:
    courses = children()
    relapsed = 1.0 - free_of_relapse(courses, 18)
    high = courses.burden >= 1e10  # MRD of 1e-2 of 1e12 cells
    negative = (courses.negative_at_relapse == 1.0) & courses.remission
    with_much = negative[high & courses.remission].mean()
    with_little = negative[~high & courses.remission].mean()
    return Findings(
        (
            counted("remission", 49, 51, courses.remission, DOURTHE, definition=REMISSION),
            percentage("relapse within 18 months", 51.0, relapsed, DOURTHE, bounds=around(51.0)),
            percentage(
                "event-free at 18 months",
                44.0,
                courses.event_day > 18 * MONTH,
                DOURTHE,
                bounds=around(44.0),
                definition=EVENT,
            ),
            within(
                "CD19-negative relapse, 1 % blasts or more before over less",
                "1",
                10.4,
                with_much / with_little,
                DOURTHE,
                (1.5, 70.0),
                definition="ratio of the shares that relapse; the paper's is a subdistribution "
                "hazard ratio whose interval was not read: direction and order of size",
            ),
        )
    )


@check("Pulsipher 2022: CD19 at relapse", kind="cohort fitted", model="cart_b_all", quick=False)
def pulsipher_cd19() -> Findings:
    courses = children()
    aplastic = np.isfinite(courses.relapse_day) & (courses.recovery_day > courses.relapse_day)
    return Findings(
        (
            counted(
                "CD19-negative among relapses in B-cell aplasia",
                23,
                25,
                courses.negative_at_relapse[aplastic],
                PULSIPHER,
                definition="aplasia: under 10 B cells per uL at the visit",
            ),
        )
    )


@check(
    "Pulsipher 2022: B-cell recovery and relapse",
    kind="cohort predicted",
    model="cart_b_all",
    quick=False,
)
def pulsipher_recovery() -> Findings:
    courses = children()
    year = 365.0
    end = np.minimum(courses.relapse_day, year)
    recovered = np.minimum(courses.recovery_day, end)
    keep = courses.remission
    relapsed = courses.relapse_day <= year
    after = relapsed & (courses.recovery_day < courses.relapse_day)
    rates = [
        (relapsed & ~after)[keep].sum() / recovered[keep].sum(),
        after[keep].sum() / (end - recovered)[keep].sum(),
    ]
    return Findings(
        (
            within(
                "relapse after B-cell recovery over during aplasia, first year",
                "1",
                4.5,
                rates[1] / rates[0],
                PULSIPHER,
                (2.03, 9.97),
                published_interval=(2.03, 9.97),
                definition="ratio of relapses per patient-year; the paper's is a hazard ratio",
            ),
        )
    )


@check(
    "Hay 2017: adults, grades of cytokine release",
    kind="cohort fitted",
    model="cart_b_all",
    quick=False,
)
def hay() -> Findings:
    worst = adults_4_1bb().worst["worst_grade"]
    return Findings(
        tuple(
            counted(
                f"grade {grade} or more",
                events,
                133,
                worst >= grade,
                HAY,
                definition=GRADE + "; grade 5 counts as 4",
            )
            for grade, events in ((1, 93), (2, 59), (3, 16), (4, 10))
        )
    )


@check("Lee 2015: IL-6 and CRP", kind="cohort fitted", model="cart_b_all", quick=False)
def lee() -> Findings:
    courses = adults_4_1bb()
    correlation = spearmanr(courses.worst["peak_il6"], courses.worst["peak_crp"]).statistic
    return Findings(
        (
            within(
                "correlation of peak IL-6 and peak CRP (Spearman)",
                "1",
                0.81,
                correlation,
                Cited("10.1016/S0140-6736(14)61403-3", "DOI as remembered"),
                (0.6, 0.98),
            ),
        )
    )


@check(
    "CAR-T cells: dose, drugs and lymphodepletion",
    kind="cohort predicted",
    model="cart_b_all",
    quick=False,
)
def expansion() -> Findings:
    typical = _typical("19-BBz", np.array([1e11] * 3), cells=np.array([1.2e7, 1.2e8, 1.2e9]))
    slope = linregress(np.log([1.2e7, 1.2e8, 1.2e9]), np.log(typical["peak"])).slope
    plain, drug, shallow = (
        float(_typical("19-BBz", np.array([1e11]), depth=depth, drug=drug)["peak"][0])
        for depth, drug in ((1.0, None), (1.0, "tocilizumab"), (0.5, None))
    )
    return Findings(
        (
            within(
                "exponent of the dose in peak CAR-T cells",
                "1",
                0.093,
                slope,
                STEIN,
                (-0.1, 0.3),
                definition="typical patient, 1e11 leukemia cells, doses 1.2e7 to 1.2e9",
            ),
            within(
                "peak CAR-T cells with over without tocilizumab",
                "1",
                1.55,
                drug / plain,
                STEIN,
                (0.8, 2.0),
                definition="exp(0.44), not significant: no clinically relevant damping",
            ),
            within(
                "peak CAR-T cells after half over after full lymphodepletion",
                "1",
                0.53,
                shallow / plain,
                STEIN,
                (0.2, 0.95),
                definition="exp(-0.63), no fludarabine: direction and order of size",
            ),
        )
    )


def _typical(
    product: str,
    burden: Array,
    *,
    cells: Array | float = 1.2e8,
    depth: float = 1.0,
    drug: str | None = None,
) -> dict[str, Array]:
    """Peak CAR-T cells (cell/uL), their day, and the course, of typical patients."""
    therapy: dict[str, Item] = {
        "conditioning": Dose("lymphodepletion", depth, [-5.0, -4.0, -3.0]),
        "cells": Dose("car_t", cells, 0.0),
    }
    if drug is not None:
        therapy["drug"] = Dose(drug, 560.0, 5.0)
    result = simulate(
        load_model("cart_b_all"),
        variants=[product],
        parameters={"leukemia.initial_cells": burden},
        therapy=therapy,
        start=-7.0,
        stop=400.0,
        save_at=[7.0, 14.0, 28.0, 90.0, 180.0, 365.0],
        outputs=["car_t"],
        metrics={"peak": Maximum("car_t"), "day": TimeOfMaximum("car_t")},
        solver=Solver(rtol=1e-7),
    )
    found = {name: result[name].to_numpy() for name in ("peak", "day")}
    return {**found, "course": result["car_t"].to_numpy()}


@check("Stein 2019: typical course of 19-BBz", kind="cohort fitted", model="cart_b_all")
def stein_course() -> Findings:
    typical = _typical("19-BBz", np.array([2e11]))
    relative = typical["course"][0] / typical["peak"][0]
    days = (28.0, 90.0, 180.0, 365.0)
    shares = (0.0572, 0.00610, 0.00457, 0.00253)
    after = np.linspace(0.0, 365.0, 200)
    closed_form = (1.0 - 0.0079) * np.exp(-0.16 * after) + 0.0079 * np.exp(-0.0032 * after)
    rows = [near("day of the peak", "day", 9.3, typical["day"][0], STEIN, absolute=2.0)]
    rows += [
        within(
            f"CAR-T cells on day {day:.0f} over peak",
            "1",
            share,
            value,
            STEIN,
            (share / 3.0, share * 3.0),
            definition="typical patient with 20 % blasts; a factor of three either way",
        )
        for day, share, value in zip(days, shares, relative[2:], strict=True)
    ]
    curve = Curve(
        "CAR-T cells over their peak, 19-BBz",
        "days after infusion [day]",
        "share of the peak [1]",
        {"Stein 2019, typical patient": (9.3 + after, closed_form)},
        {"carsim, typical patient": (np.array([28.0, 90.0, 180.0, 365.0]), relative[2:])},
        log_y=True,
    )
    return Findings(tuple(rows), (curve,))


@check("Moffitt patients: typical course of 19-28z", kind="cohort fitted", model="cart_b_all")
def moffitt_course() -> Findings:
    typical = _typical("19-28z", np.array([1e10]), cells=1.4e8)
    course = typical["course"][0]
    quartiles = ((7, 27.5, 16.5, 57.5), (14, 9.1, 3.8, 31.1), (28, 2.1, 0.6, 6.1))
    rows = [
        within(
            f"CAR-T cells on day {day}",
            "cell/uL",
            median,
            value,
            MOFFITT,
            (low, high),
            published_interval=(low, high),
            definition="axi-cel in lymphoma; tolerated: the quartiles of the patients",
        )
        for (day, median, low, high), value in zip(quartiles, course, strict=False)
    ]
    return Findings(tuple(rows))


@check(
    "Antibodies and B cells after 19-BBz", kind="cohort predicted", model="cart_b_all", quick=False
)
def humoral() -> Findings:
    courses = adults_4_1bb()
    aplastic = (courses.b_cells < 10.0)[:, :7].all(axis=1) & courses.remission
    visits = [int(np.argmin(np.abs(courses.day - day))) for day in (28.0, 182.0, 364.0)]
    igg = courses.igg[aplastic][:, visits] / courses.igg_before[aplastic, None] - 1.0
    back = np.where(courses.b_cells >= 80.0, courses.day, np.inf).min(axis=1)
    return Findings(
        (
            within(
                "change of IgG, mean of months 1, 6 and 12",
                "1",
                -0.175,
                float(igg.mean()),
                HILL,
                (-0.325, -0.025),
                definition="adults in remission with B-cell aplasia for more than 6 months",
            ),
            within(
                "day at which B cells are normal again, median of those who recover in a year",
                "day",
                79.0,
                float(np.median(back[back <= 365.0])),
                WANG_Y,
                (41.0, 118.0),
                published_interval=(41.0, 118.0),
                definition="80 cells per uL; products of the paper not known",
            ),
        )
    )


@check(
    "Weng 2018: extramedullary leukemia, 1928zT2",
    kind="cohort predicted",
    model="cart_b_all",
    quick=False,
)
def weng() -> Findings:
    trial = Trial("1928zT2", "adult", (1e8, 1e11), 7e7, 56.0)
    outside = {"leukemia.extramedullary_cells": LogUniform(1e9, 1e11)}
    courses = run(trial, spread(), PATIENTS, 4, parameters=outside)
    return Findings(
        (
            counted(
                "remission with extramedullary disease of 1e9 to 1e11 cells",
                3,
                3,
                courses.remission,
                WENG,
                definition=REMISSION + ", all sites together",
            ),
        )
    )


@check(
    "Second infusion needs lymphodepletion",
    kind="cohort predicted",
    model="cart_b_all",
    quick=False,
)
def reinfusion() -> Findings:
    shares = []
    for depth in (0.0, 1.0):
        again = therapy_of(CHILDREN)
        again["second conditioning"] = Dose("lymphodepletion", depth, [195.0, 196.0, 197.0])
        again["second cells"] = Dose("car_t", CHILDREN.cells, 200.0)
        trial = Trial("19-BBz", "child", (1e9, 1e12), CHILDREN.cells, 230.0)
        courses = run(trial, spread(), PATIENTS, 5, therapy=again)
        back = (courses.b_cells[:, 6] >= 10.0) & courses.remission
        shares.append(float(np.mean(courses.b_cells[back, -1] < 10.0)))
    odds = [(share + 1e-3) / (1.0 - share + 1e-3) for share in shares]
    return Findings(
        (
            within(
                "odds of aplasia with over without lymphodepletion",
                "1",
                33.6,
                odds[1] / odds[0],
                Cited("10.1182/bloodadvances.2024012885", "Blood Adv 8:2182, abstract"),
                (3.0, 1000.0),
                definition="second infusion on day 200 in patients whose B cells are back, judged "
                "on day 224; interval not read: direction and order of size",
            ),
        )
    )
