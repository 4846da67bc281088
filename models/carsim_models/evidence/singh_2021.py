"""Singh et al. 2021, clinical model: transgene and M-protein after the four doses of CRB-401.

The paper shows its fits as curves. The numbers beside carsim's are those of two other runs of the
equations: nlmixr2lib's, which it compares with the authors' own code (values every half day), and
ours with SciPy's Radau at a relative tolerance of 1e-9.
"""

import numpy as np

from carsim import (
    Derived,
    Dose,
    Maximum,
    Minimum,
    Solver,
    TimeOfMaximum,
    ValueAt,
    load_model,
    simulate,
)
from carsim.verification import Curve, Findings, check, near

OTHER = Derived("run of the equations in nlmixr2lib's vignette, values every half day")
RERUN = Derived("equations in SciPy Radau, rtol 1e-9")
FINE = Solver(rtol=1e-9)

# Dose in cells: peak of the transgene and its day, its values on days 28 and 90, tumor on day 90,
# smallest M-protein (relative change); then peak and percent change as nlmixr2lib gives them.
DOSES = {
    5e7: (37445.0, 16.31, 8831.23, 145.951, 14833.1, -0.924921, 37411.0, -0.925),
    1.5e8: (36537.2, 15.25, 7261.38, 139.641, 15690.6, -0.924141, 36479.0, -0.924),
    4.5e8: (35774.2, 14.185, 5991.78, 134.059, 16484.8, -0.923465, 35743.0, -0.923),
    8e8: (35498.1, 13.625, 5437.80, 131.658, 16805.0, -0.923215, 35484.0, -0.923),
}


@check("Transgene and M-protein after four doses", kind="reproduction", model="singh_2021")
def four_doses() -> Findings:
    # The distribution of the infused cells in the first day is not the peak that is meant.
    result = simulate(
        load_model("singh_2021"),
        therapy={"cells": Dose("car_t", np.array(list(DOSES)), at=0.0)},
        stop=180.0,
        save_at=np.linspace(0.0, 180.0, 361),
        outputs=["transgene"],
        metrics={
            "peak": Maximum("transgene", 1.0, 180.0),
            "day": TimeOfMaximum("transgene", 1.0, 180.0),
            "late_28": ValueAt("transgene", 28.0),
            "late_90": ValueAt("transgene", 90.0),
            "left": ValueAt("Tumor", 90.0),
            "nadir": Minimum("M_protein_change"),
        },
        solver=FINE,
    )
    rows = []
    lines, points = {}, {}
    for k, (dose, expected) in enumerate(DOSES.items()):
        peak, day, late_28, late_90, left, nadir, other_peak, other_nadir = expected
        after = f"after {dose:.1e} cells"
        lines[after] = (result["time"].to_numpy(), result["transgene"][k].to_numpy())
        points[f"{after}, SciPy"] = (
            np.array([day, 28.0, 90.0]),
            np.array([peak, late_28, late_90]),
        )
        for words, unit, number, name in (
            (f"peak transgene {after}", "copy/ug", peak, "peak"),
            (f"transgene on day 28 {after}", "copy/ug", late_28, "late_28"),
            (f"transgene on day 90 {after}", "copy/ug", late_90, "late_90"),
            (f"tumor on day 90 {after}", "cell/L", left, "left"),
            (f"smallest M-protein, relative change {after}", "1", nadir, "nadir"),
        ):
            rows.append(near(words, unit, number, result[name][k], RERUN, relative=1e-4))
        rows += [
            near(
                f"day of peak transgene {after}", "day", day, result["day"][k], RERUN, absolute=0.02
            ),
            near(
                f"peak transgene {after}, nlmixr2lib",
                "copy/ug",
                other_peak,
                result["peak"][k],
                OTHER,
                relative=2e-3,
            ),
            near(
                f"smallest M-protein {after}, nlmixr2lib",
                "1",
                other_nadir,
                result["nadir"][k],
                OTHER,
                absolute=6e-4,
            ),
        ]
    curve = Curve(
        "CAR transgene in blood", "time [day]", "transgene [copy/ug]", lines, points, log_y=True
    )
    return Findings(tuple(rows), (curve,))
