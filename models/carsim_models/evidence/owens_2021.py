"""Owens and Bozic 2021: rest between fludarabine and CAR-T cells costs success.

The paper counts failures over combinations; which these are our source does not say. Here they are
the four patients with each burden and dose of the paper (36), after five days of fludarabine, and a
success is a tumor below one cell. Rest is counted from the day of the last infusion.
"""

import numpy as np

from carsim import Cited, Dose, Infusion, Minimum, Solver, load_model, simulate
from carsim.verification import Findings, check, near, within

TEXT = Cited("10.1007/s11538-021-00869-5", "text")
FINE = Solver(rtol=1e-7)

BURDENS = (1e9, 5e9, 1e10)
DOSES = (1e7, 1e8, 2.5e8)
PATIENTS = ("patient_1", "patient_2", "patient_3", "patient_4")


def failing_share(rest: float) -> float:
    """Share of the 36 combinations in which a cell of the tumor survives.

    Parameters
    ----------
    rest : float, day
        From the last day of fludarabine to the infusion of CAR-T cells.
    """
    burden, dose = (grid.ravel() for grid in np.meshgrid(BURDENS, DOSES))
    survived = []
    for patient in PATIENTS:
        result = simulate(
            load_model("owens_2021"),
            variants=[patient],
            parameters={"T_initial": burden},
            therapy={
                "fludarabine": Infusion(
                    "fludarabine", rate=77.0, duration=0.5 / 24.0, start=[0.0, 1.0, 2.0, 3.0, 4.0]
                ),
                "cells": Dose("car_t", dose, at=4.0 + rest),
            },
            stop=250.0,
            save_at=[],
            metrics={"best": Minimum("T")},
            solver=FINE,
            on_failure="raise",
        )
        survived.append(result["best"].to_numpy() >= 1.0)
    return float(np.mean(survived))


@check("Combinations that fail by days of rest", kind="reproduction", model="owens_2021")
def failures_by_rest() -> Findings:
    return Findings(
        (
            within(
                "share that fails with 5 days of rest",
                "1",
                0.70,
                failing_share(5.0),
                TEXT,
                (0.70, 1.0),
                definition="above 0.70; 4 patients, 3 burdens, 3 doses",
            ),
            near(
                "share that fails with 12 days of rest",
                "1",
                0.90,
                failing_share(12.0),
                TEXT,
                absolute=0.05,
                definition="about 0.90; 4 patients, 3 burdens, 3 doses",
            ),
            within(
                "share that fails with 18 days of rest",
                "1",
                1.0,
                failing_share(18.0),
                TEXT,
                (1.0, 1.0),
                definition="all with more than 17 days; 4 patients, 3 burdens, 3 doses",
            ),
        )
    )
