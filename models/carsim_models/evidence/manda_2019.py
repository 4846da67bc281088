"""Manda and Chirove 2019: the uncurated file as libRoadRunner and COPASI compute it.

The rows are where the two programs (CVODE and LSODA, both at a relative tolerance of 1e-10) agree
on MODEL1911280002.
"""

import numpy as np

from carsim import Derived, Solver, load_model, simulate
from carsim.verification import Curve, Findings, check, near

ENGINES = Derived("MODEL1911280002 in libRoadRunner 2.11 and COPASI 4.48, rtol 1e-10")
DAYS = (20.0, 40.0, 52.0, 60.0, 80.0, 100.0)
ROWS = {
    "H": (9599982.3, 9491644.8, 3547615.6, 1223480.8, 1101992.2, 1130477.0),
    "I_H": (6.8013459, 41316.845, 1193558.4, 149834.29, 121.14904, 0.10491812),
    "H_B": (816.79568, 4986784.7, 214861650.0, 44604083.0, 38880.375, 33.267678),
    "T_c": (2.166176, 7.6834476, 7.6922349, 7.6922718, 7.674418, 2.4104146),
    "T_1": (155.13751, 951431.07, 61819627.0, 30043148.0, 46786.553, 39.970059),
    "I_gamma": (0.92433524, 2.4044186, 2.40514, 2.4051347, 2.3965, 0.47605126),
    "I_10": (7.9823865, 7.9999971, 8.0, 7.9999999, 7.9999503, 7.9421219),
}


@check("Acute infection as in two other programs", kind="reproduction", model="manda_2019")
def engines() -> Findings:
    days = np.linspace(0.0, 100.0, 201)
    result = simulate(
        load_model("manda_2019"),
        stop=100.0,
        save_at=days,
        outputs=list(ROWS),
        solver=Solver(rtol=1e-9),
    )
    rows = [
        near(
            f"{name} on day {day:g}",
            result[name].attrs["carsim_units"],
            published,
            result[name].to_numpy()[round(2.0 * day)],
            ENGINES,
            relative=1e-6,
        )
        for name, values in ROWS.items()
        for day, published in zip(DAYS, values, strict=True)
    ]
    shown = ("H", "I_H", "H_B")
    curve = Curve(
        "Acute hepatitis B: hepatocytes and virus",
        "time (day)",
        "cells or virions (1/mL)",
        {name: (days[20:], result[name].to_numpy()[20:]) for name in shown},
        {f"{name}, other programs": (np.array(DAYS), np.array(ROWS[name])) for name in shown},
        log_y=True,
    )
    return Findings(tuple(rows), (curve,))
