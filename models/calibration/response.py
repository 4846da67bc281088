"""Step 2: how patients differ in response, from the trials of CAR-T cells in B-ALL.

    python models/calibration/response.py

Takes the typical courses of step 1 (the model's defaults) and finds the spreads of `Spread` with
which remission and relapse come out as in two trials: adults with 19-28z (Park 2018) and children
with 19-BBz (ELIANA), and CD19 at relapse as in Pulsipher 2022. Kept out, and reported as
predictions by `carsim verify`: the CIBMTR registry, Dourthe 2021, event-free survival of Park 2018,
later follow-up of ELIANA, B cells and relapse in Pulsipher 2022, IgG, re-infusion. Prints the
posterior and writes response.json. See emulator.py for the procedure.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.emulator import Count, Knob, Statistic, calibrate
from carsim_models.cart_hbv.populations import spread
from carsim_models.evidence.response_cohorts import ADULTS, CHILDREN, MONTH, run

KNOBS = (
    Knob("sd_r_E", 0.1, 1.0),
    Knob("sd_g", 0.1, 1.0),
    Knob("sd_f_self", 0.3, 3.0),
    Knob("r_L", 0.05, 0.10),
    Knob("sd_r_L", 0.1, 0.6),
    Knob("negative_low", 1e-18, 1e-11),
    Knob("negative_high", 1e-10, 1e-5),
)

STATISTICS: tuple[Statistic, ...] = (
    Count("remission, adults", 44, 53, "Park 2018, doi:10.1056/NEJMoa1709919: 83 % of 53"),
    Count("remission, children", 65, 79, "Laetsch 2022, doi:10.1200/JCO.22.00642: 82 % of 79"),
    Count(
        "relapse-free at 12 months, children",
        36,
        61,
        "Maude 2018, doi:10.1056/NEJMoa1709866: 59 %; 61 in remission (81 % of 75, as remembered)",
    ),
    Count(
        "relapse-free at 24 months, children",
        34,
        65,
        "Laetsch 2022, doi:10.1200/JCO.22.00642: 52 %, of 65 in remission",
    ),
    Count(
        "CD19-negative among relapses in aplasia, children",
        23,
        25,
        "Pulsipher 2022, PMC9924295: 23 of 25",
    ),
)

PATIENTS = 800
SEED = 20261125


def statistics(values: dict[str, float]) -> dict[str, float]:
    """Simulate both trials with some knobs set."""
    s = spread()._replace(**values)
    adults, children = run(ADULTS, s, PATIENTS, SEED), run(CHILDREN, s, PATIENTS, SEED + 1)
    relapse = children.relapse_day[children.remission]
    relapsed = np.isfinite(children.relapse_day)
    aplastic = relapsed & (children.recovery_day > children.relapse_day)
    negative = children.negative_at_relapse[aplastic]
    return {
        "remission, adults": float(adults.remission.mean()),
        "remission, children": float(children.remission.mean()),
        "relapse-free at 12 months, children": float(np.mean(relapse > 12 * MONTH)),
        "relapse-free at 24 months, children": float(np.mean(relapse > 24 * MONTH)),
        "CD19-negative among relapses in aplasia, children": float(negative.mean())
        if len(negative)
        else float("nan"),
    }


if __name__ == "__main__":
    calibrate(KNOBS, STATISTICS, statistics, SEED, Path(__file__).with_suffix(".json"))
