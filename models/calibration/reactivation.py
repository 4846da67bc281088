"""Step 3: control and loss of control of the virus, from cohorts with and without CAR-T cells.

    python models/calibration/reactivation.py
    python models/calibration/reactivation.py --refine   # goes on with the simplex search

Takes the CAR-T side of steps 1 and 2 and finds the numbers of `Spread` that concern the virus.
Used: Li 2021 (resolved, CAR-T, by anti-HBs), the resolved of Wang 2020 and their HBsAg-positive
patients on antivirals, Seto 2014 (resolved, rituximab and chemotherapy), Cheng 2003
(HBsAg-positive, chemotherapy with and without steroid; reactivation and hepatitis), the range
reported for HBsAg-positive patients under R-CHOP, and what Hui 2005 saw when antivirals were
stopped in patients with little virus. Each with its own therapy, serostatus, definition and visits.
Kept out, and reported as predictions by `carsim verify`: Cao 2020, Cui 2021, Yang 2020, Liu 2019,
Huang 2013, patients with lymphoma on antivirals, times of reactivation, HBV DNA at detection,
flares on antivirals, reverse seroconversion, Hui 2005 with much virus. Prints the posterior and
writes reactivation.json. See emulator.py for the procedure.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from calibration.emulator import Count, Knob, Statistic, Value, calibrate, refine
from carsim_models.cart_hbv.populations import carriers, resolved, spread
from carsim_models.evidence.reactivation_cohorts import (
    ASSAY_OF_2003,
    ASSAY_OF_THE_TRIALS,
    MONTH,
    antiviral,
    car_t_therapy,
    chemotherapy,
    run,
    share,
)

KNOBS = (
    Knob("kappa", 0.1, 1.5),
    Knob("sd_kappa", 0.3, 1.2),
    Knob("kappa_L", 0.2, 1.5),
    Knob("tau_L", 80.0, 500.0),
    Knob("sd_tau_L", 0.3, 1.2),
    Knob("chop", 0.3, 3.0),
    Knob("alpha", 0.03, 0.3),
    Knob("k_GC", 0.01, 0.2),
    Knob("s_GC", 0.2, 2.0),
    Knob("E_0", 1.3, 4.2),
    Knob("sd_E_0", 0.15, 1.0),
    Knob("C_0", 1.0, 100.0),
    Knob("sd_C_0", 1.0, 3.0),
    Knob("K_Ab", 0.3, 100.0),
    Knob("sd_K_Ab", 0.3, 2.5),
    Knob("dropout", 2e-5, 2e-3),
    Knob("k_share", 0.2, 0.9, log=False),
    Knob("f_mem", 0.2, 0.95, log=False),
)

LI = "Li 2021, doi:10.3389/fimmu.2021.638678"
WANG = "Wang 2020, doi:10.1038/s41375-020-0936-4"
CHENG = "Cheng 2003, doi:10.1053/jhep.2003.50220"
SETO = "Seto 2014, doi:10.1200/JCO.2014.56.7081"
# 41.5 % in all and 68.3 and 34.4 % by anti-HBs: 21 % had none, that is 13 and 50 of 63 patients.
STATISTICS: tuple[Statistic, ...] = (
    Count("CAR-T, resolved without anti-HBs (Li 2021)", 2, 9, LI),
    Count("CAR-T, resolved with anti-HBs (Li 2021)", 0, 21, LI),
    Count("CAR-T, resolved (Wang 2020)", 1, 29, WANG),
    Count("CAR-T, HBsAg-positive on antivirals (Wang 2020)", 2, 12, WANG),
    Count("R-chemotherapy, resolved without anti-HBs (Seto 2014)", 9, 13, SETO + ": 68.3 %"),
    Count("R-chemotherapy, resolved with anti-HBs (Seto 2014)", 17, 50, SETO + ": 34.4 %"),
    Value(
        "R-chemotherapy, HBsAg-positive without antiviral",
        0.70,
        0.08,
        "Kusumoto, Hematology 2014;576: 59 to 80 %",
    ),
    Value(
        "chemotherapy without steroid, HBsAg-positive (Cheng 2003)",
        0.38,
        0.10,
        "doi:10.1053/jhep.2003.50220: 38 % at 9 months, 25 patients",
    ),
    Value(
        "chemotherapy with steroid, HBsAg-positive (Cheng 2003)",
        0.73,
        0.09,
        "doi:10.1053/jhep.2003.50220: 73 % at 9 months, 25 patients",
    ),
    Count("ALT above ten times normal without steroid (Cheng 2003)", 3, 23, CHENG),
    Count("ALT above ten times normal with steroid (Cheng 2003)", 11, 25, CHENG),
    Value(
        "HBV DNA of 2,000 IU/mL after the antiviral stops, less before (Hui 2005)",
        0.10,
        0.08,
        "as quoted in a review: 10 %, and 50 % with 2,000 IU/mL or more before",
    ),
)

PATIENTS = 250
SEED = 20261126
TWO_YEARS = 24 * MONTH

# Share with anti-HBs among the resolved of Wang 2020: not known, taken from Li 2021.
WITH_ANTIBODY = 21 / 30


def statistics(values: dict[str, float]) -> dict[str, float]:
    """Simulate all cohorts with some knobs set."""
    s = spread()._replace(**values)
    without, having = [resolved(s, antibody=False)], [resolved(s, antibody=True)]
    car_t = [
        run(s, who, car_t_therapy(), PATIENTS, SEED, stop=TWO_YEARS, car_t=True)
        for who in (without, having)
    ]
    seto = [
        run(s, who, chemotherapy(s), PATIENTS, SEED, stop=TWO_YEARS) for who in (without, having)
    ]
    wang = [
        share(courses.reactivation("Wang 2020", detection_limit=ASSAY_OF_THE_TRIALS), 365.0)
        for courses in car_t
    ]
    treated = run(
        s,
        carriers(s),
        {**car_t_therapy(), **antiviral(s, -90.0, TWO_YEARS)},
        PATIENTS,
        SEED,
        start=-97.0,
        baseline=-7.0,
        stop=365.0,
        car_t=True,
    )
    untreated = run(s, carriers(s), chemotherapy(s), PATIENTS, SEED, stop=365.0)
    cheng = [
        run(
            s,
            carriers(s),
            chemotherapy(s, steroid=steroid, rituximab=False),
            PATIENTS,
            SEED,
            stop=280.0,
        )
        for steroid in (False, True)
    ]
    end = 126.0 + 90.0
    stopped = run(
        s,
        carriers(s),
        {**chemotherapy(s), **antiviral(s, -7.0, end)},
        PATIENTS,
        SEED,
        stop=end + 365.0,
    )
    dna = stopped.saved["hbv_dna"]
    back = np.asarray((dna[:, stopped.day > end] >= 2000.0).any(axis=1))
    found = [
        share(car_t[0].reactivation("Li 2021")),
        share(car_t[1].reactivation("Li 2021")),
        (1.0 - WITH_ANTIBODY) * wang[0] + WITH_ANTIBODY * wang[1],
        share(
            treated.reactivation("Wang 2020", baseline=-7.0, detection_limit=ASSAY_OF_THE_TRIALS)
        ),
        share(seto[0].reactivation("Seto 2014")),
        share(seto[1].reactivation("Seto 2014")),
        share(untreated.reactivation("AGA 2015")),
        *(
            share(arm.reactivation("AGA 2015", detection_limit=ASSAY_OF_2003), 9 * MONTH)
            for arm in cheng
        ),
        float(np.nanmean(cheng[0].alt_peak > 400.0)),
        float(np.nanmean(cheng[1].alt_peak > 400.0)),
        float(back[dna[:, 0] < 2000.0].mean()),
    ]
    return {statistic.name: value for statistic, value in zip(STATISTICS, found, strict=True)}


if __name__ == "__main__":
    if sys.argv[1:] == ["--refine"]:
        refine(KNOBS, STATISTICS, statistics, Path(__file__).with_suffix(".json"), 400)
    else:
        calibrate(KNOBS, STATISTICS, statistics, SEED, Path(__file__).with_suffix(".json"))
