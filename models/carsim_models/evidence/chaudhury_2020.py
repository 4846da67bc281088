"""Chaudhury et al. 2020, Eqs 7-9: expansion with the tumor, and which tumors are cured.

The numbers were computed from the curated equations (BioModels BIOMD0000001025), restarted at
T_max, with SciPy's LSODA at a relative tolerance of 1e-11. The tumors are those of its Fig 3B.
"""

import numpy as np

from carsim import Derived, Maximum, Solver, ValueAt, load_model, simulate
from carsim.verification import Curve, Findings, check, near

RERUN = Derived("equations of BIOMD0000001025 in SciPy LSODA, restarted at T_max, rtol 1e-11")


@check("Small tumors return, large ones are cured", kind="reproduction", model="chaudhury_2020")
def cure_and_relapse() -> Findings:
    start = np.array([9.0, 90.0, 900.0, 9000.0])
    result = simulate(
        load_model("chaudhury_2020"),
        initial={"U": start},
        stop=360.0,
        save_at=np.linspace(0.0, 360.0, 361),
        outputs=["U"],
        metrics={"peak": Maximum("C_E"), "U_28": ValueAt("U", 28.0), "U_180": ValueAt("U", 180.0)},
        solver=Solver(rtol=1e-9),
    )
    published = {
        "peak": (382.9658, 2845.559, 22818.28, 183370.0),
        "U_28": (0.367686, 0.534584, 1.36663, 3.87639),
        "U_180": (877.671, 821.928, 0.0088101, 0.000328569),
    }
    words = {
        "peak": "peak of CAR-T cells",
        "U_28": "tumor on day 28",
        "U_180": "tumor on day 180",
    }
    rows = tuple(
        near(
            f"{words[name]}, tumor {start[k]:g} at first",
            "cell/uL",
            value,
            result[name][k],
            RERUN,
            relative=1e-3,
        )
        for name, values in published.items()
        for k, value in enumerate(values)
    )
    time = result["time"].to_numpy()
    curve = Curve(
        "Tumor by its size at the start",
        "time [day]",
        "tumor [cell/uL]",
        {f"{start[k]:g} at first": (time, result["U"].to_numpy()[k]) for k in (1, 2)},
        {
            "90, SciPy": (
                np.array([2.0, 5.0, 9.3, 28.0, 90.0, 180.0, 360.0]),
                np.array([62.9795, 30.0152, 11.1683, 0.534584, 70.2708, 821.928, 998.931]),
            ),
            "900, SciPy": (
                np.array([2.0, 5.0, 9.3, 28.0, 90.0, 180.0]),
                np.array([592.648, 233.506, 67.9064, 1.36663, 0.00873023, 0.0088101]),
            ),
        },
        log_y=True,
    )
    return Findings(rows, (curve,))
