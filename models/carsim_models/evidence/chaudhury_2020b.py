"""Chaudhury et al. 2020, Eqs S1-S3: first-order expansion.

The numbers of the tumor were computed from the curated equations (BioModels MODEL2109110005) with
SciPy's LSODA at a relative tolerance of 1e-11; those of the CAR-T cells are exact.
"""

import math

import numpy as np

from carsim import Derived, Maximum, Solver, TimeOfMaximum, load_model, simulate
from carsim.verification import Curve, Findings, check, near

RERUN = Derived("equations of MODEL2109110005 in SciPy LSODA, restarted at T_max, rtol 1e-11")
EXACT = Derived("solution of the linear Eqs S1-S2")


@check("Expansion, decline and eradication", kind="reproduction", model="chaudhury_2020b")
def first_order() -> Findings:
    result = simulate(
        load_model("chaudhury_2020b"),
        stop=100.0,
        save_at=[*np.linspace(0.0, 10.0, 101), *np.arange(11.0, 101.0)],
        outputs=["C_E", "C_P", "U"],
        metrics={"peak": Maximum("C_E"), "memory": Maximum("C_P"), "day": TimeOfMaximum("C_P")},
        solver=Solver(rtol=1e-9),
    )
    time = result["time"].to_numpy()
    days = np.array([1.0, 2.0, 4.0, 5.0, 6.0, 7.0])
    tumor = np.array([774.42, 659.311, 381.694, 185.114, 31.3336, 0.29951])
    peak = 10.0 * math.exp(9.3)
    decline = 0.1612
    # C_P = peak k_EP / (decline - beta) (exp(-beta s) - exp(-decline s)) at s days after T_max.
    s = math.log(decline / 0.0032) / (decline - 0.0032)
    memory = 0.0012 * peak / (decline - 0.0032) * (math.exp(-0.0032 * s) - math.exp(-decline * s))
    rows = [
        near("peak of CAR-T cells", "cell/uL", peak, result["peak"], EXACT, relative=1e-4),
        near("peak of persistent cells", "cell/uL", memory, result["memory"], EXACT, relative=1e-4),
        near("day of it", "day", 9.3 + s, result["day"], EXACT, absolute=0.05),
    ]
    lines = {name: (time, result[name].to_numpy()) for name in ("C_E", "C_P", "U")}
    for day, value in zip(days, tumor, strict=True):
        found = np.interp(day, *lines["U"])
        rows.append(near(f"tumor on day {day:g}", "cell/uL", value, found, RERUN, relative=1e-3))
    curve = Curve(
        "First-order expansion",
        "time [day]",
        "count [cell/uL]",
        # The logarithmic axis ends where nothing is left.
        {name: (time, np.maximum(course, 1e-4)) for name, (_, course) in lines.items()},
        {"U, SciPy": (days, tumor)},
        log_y=True,
    )
    return Findings(tuple(rows), (curve,))
