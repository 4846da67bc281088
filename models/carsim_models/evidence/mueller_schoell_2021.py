"""Mueller-Schoell et al. 2021: typical patients of both classes, with and without transplant.

The paper's own peaks are those of individual patients, whose random effects we do not have. The
numbers below are the typical patient at the median tumor volume, computed once from Equations 5-11
and Table 1 with SciPy's LSODA at a relative tolerance of 1e-10.
"""

from carsim import Derived, Maximum, Solver, TimeOfMaximum, ValueAt, load_model, simulate
from carsim.verification import Findings, check, near

RERUN = Derived("Equations 5-11 and Table 1 in SciPy LSODA, rtol 1e-10")
FINE = Solver(rtol=1e-9)

# Class: variants, peak of all CAR-T cells, its day, tumor on days 28, 90 and 365.
TYPICAL = {
    "reference": (["reference"], 7.18036, 16.333, (18.4069, 9.05955, 16.9034)),
    "reference after transplant": (
        ["reference", "prior_asct"],
        22.25067,
        8.408,
        (1.162753, 0.848673, 1.596889),
    ),
    "low expander after transplant": (
        ["low_expander", "prior_asct"],
        0.837760,
        30.871,
        (75.6185, 57.7454, 82.0516),
    ),
}


@check(
    "Expansion and tumor of the typical patients", kind="reproduction", model="mueller_schoell_2021"
)
def typical_patients() -> Findings:
    rows = []
    for words, (variants, peak, day, tumor) in TYPICAL.items():
        result = simulate(
            load_model("mueller_schoell_2021"),
            variants=variants,
            stop=365.0,
            save_at=[],
            metrics={
                "peak": Maximum("car_t"),
                "day": TimeOfMaximum("car_t"),
                **{f"Tum_{t}": ValueAt("Tum", float(t)) for t in (28, 90, 365)},
            },
            solver=FINE,
        )
        rows += [
            near(
                f"peak of CAR-T cells, {words}",
                "cell/uL",
                peak,
                result["peak"],
                RERUN,
                relative=1e-4,
            ),
            near(f"day of the peak, {words}", "day", day, result["day"], RERUN, absolute=0.02),
        ]
        for t, volume in zip((28, 90, 365), tumor, strict=True):
            found = result[f"Tum_{t}"]
            rows.append(
                near(f"tumor on day {t}, {words}", "mL", volume, found, RERUN, relative=1e-4)
            )
    return Findings(tuple(rows))
