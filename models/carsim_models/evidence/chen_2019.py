"""Chen et al. 2019: a primed second dose releases less.

The numbers were computed with SciPy's LSODA (relative tolerance 1e-11) from the equations and
values in the code that accompanies Van De Vyver et al. 2021 (10.1158/1078-0432.CCR-21-0470), for
the doses of that code: 60 ug, and 300 ug a week later.
"""

import numpy as np

from carsim import (
    Derived,
    Dose,
    Maximum,
    Solver,
    TimeOfMaximum,
    ValueAt,
    Window,
    load_model,
    simulate,
)
from carsim.verification import Curve, Findings, check, near

RERUN = Derived("equations of PKPD-coder/Modeling_Cytokine_Release in SciPy LSODA, rtol 1e-11")


@check("Priming: 60 ug, then 300 ug", kind="reproduction", model="chen_2019")
def priming() -> Findings:
    second = {"count": Window("n", value=2.0, start=168.0)}
    metrics = {
        "first": Maximum("Cyt", 0.0, 167.0),
        "hour": TimeOfMaximum("Cyt", 0.0, 167.0),
        "second": Maximum("Cyt", 169.0, 336.0),
        "hour_2": TimeOfMaximum("Cyt", 169.0, 336.0),
        "exposure": ValueAt("AUC", 336.0),
    }
    times = np.linspace(0.0, 336.0, 673)
    primed, naive = (
        simulate(
            load_model("chen_2019"),
            therapy={**second, "drug": Dose("drug", doses, at=(0.0, 168.0))},
            stop=336.0,
            save_at=times,
            outputs=["Cyt"],
            metrics=metrics,
            solver=Solver(rtol=1e-9),
        )
        for doses in ((60.0, 300.0), (300.0, 300.0))
    )
    numbers = (
        ("peak after 60 ug", "pg/mL", 118.7944, primed["first"], 1e-3),
        ("hour of it", "hour", 4.490, primed["hour"], 5e-3),
        ("peak after 300 ug, primed", "pg/mL", 25.66708, primed["second"], 1e-3),
        ("hour of it", "hour", 183.569, primed["hour_2"], 1e-3),
        ("exposure in two weeks", "pg*hour/mL", 6925.207, primed["exposure"], 1e-3),
        ("peak after 300 ug, not primed", "pg/mL", 332.9593, naive["first"], 1e-3),
    )
    curve = Curve(
        "IL-6 after step-up dosing",
        "time [hour]",
        "IL-6 [pg/mL]",
        {
            "60 ug, then 300 ug": (times, primed["Cyt"].to_numpy()),
            "300 ug twice": (times, naive["Cyt"].to_numpy()),
        },
        {
            "SciPy": (
                np.array([2.0, 6.0, 12.0, 24.0, 48.0, 96.0, 174.0, 192.0, 216.0, 264.0, 330.0]),
                np.array(
                    [94.5244, 114.898, 79.5431, 40.5169, 22.8763, 13.879]
                    + [21.7523, 24.7307, 20.4216, 14.633, 10.0236]
                ),
            )
        },
    )
    return Findings(
        tuple(
            near(words, unit, value, found, RERUN, relative=relative)
            for words, unit, value, found, relative in numbers
        ),
        (curve,),
    )
