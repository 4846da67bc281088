"""Leon-Triana et al. 2021, Eqs 4: peaks, remission and recurrence.

The numbers were computed from the curated file (BioModels BIOMD0000001011, which reproduces Fig 2)
with SciPy's LSODA at a relative tolerance of 1e-9.
"""

import numpy as np

from carsim import Derived, Maximum, Solver, TimeOfMaximum, ValueAt, load_model, simulate
from carsim.verification import Findings, check, near

RERUN = Derived("BIOMD0000001011 in SciPy LSODA, rtol 1e-9")
FINE = Solver(rtol=1e-9)


@check(
    "First peak and remission after 1e7 CAR-T cells", kind="reproduction", model="leon_triana_2021"
)
def first_peak() -> Findings:
    result = simulate(
        load_model("leon_triana_2021"),
        stop=60.0,
        save_at=[],
        metrics={
            "peak": Maximum("C"),
            "day": TimeOfMaximum("C"),
            "L_28": ValueAt("L", 28.0),
            "L_60": ValueAt("L", 60.0),
        },
        solver=FINE,
    )
    return Findings(
        (
            near(
                "first peak of CAR-T cells", "cell", 1.640e10, result["peak"], RERUN, relative=5e-3
            ),
            near("day of the peak", "day", 12.19, result["day"], RERUN, absolute=0.05),
            near("leukemia on day 28", "cell", 4.013e6, result["L_28"], RERUN, relative=5e-3),
            near("leukemia on day 60", "cell", 4.147e5, result["L_60"], RERUN, relative=5e-3),
        )
    )


@check("The leukemia recurs and is met again", kind="reproduction", model="leon_triana_2021")
def second_peak() -> Findings:
    doses = [1e6, 1e7, 1e8]
    result = simulate(
        load_model("leon_triana_2021"),
        initial={"C": np.array(doses)},
        stop=600.0,
        save_at=[],
        metrics={"day": TimeOfMaximum("C", 100.0, 600.0), "peak": Maximum("C", 100.0, 600.0)},
        solver=FINE,
    )
    rows = []
    for k, (dose, day, peak) in enumerate(
        zip(doses, (467.9, 443.5, 421.9), (1.787e10, 1.678e10, 1.583e10), strict=True)
    ):
        words = f"second peak after {dose:.0e} cells"
        rows.append(near(words, "cell", peak, result["peak"][k], RERUN, relative=5e-3))
        rows.append(near(f"day of the {words}", "day", day, result["day"][k], RERUN, absolute=0.5))
    return Findings(tuple(rows))
