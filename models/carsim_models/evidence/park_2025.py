"""Park et al. 2025: one patient of 70 kg, and the dose.

The paper shows its fits as curves. Numbers beside carsim's: a run of the authors' control stream as
nlmixr2lib transcribed it (most of them values every half day), and ranges over the five patients
that nlmixr2lib read off Figs 2 and S1. Outside these ranges, in that run as in ours, are the lowest
neutrophils (144, figure about 200 to 2000 per uL) and the naive CAR-T cells (peak of 1.7e7, figure
up to about 1e7 cells/L).
"""

from typing import Any

import numpy as np

from carsim import (
    Cited,
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
from carsim.verification import Findings, check, near, within

OTHER = Derived("run in nlmixr2lib's vignette Park_2025_cd19_cart_sle_qsp, rtol 1e-8")
FIGURE = Cited("10.1111/cts.70146", "Figs 2 and S1, five patients, read by nlmixr2lib")
# A switch of the model falls inside a step of any solver: steps must be short.
FINE = Solver(rtol=1e-10, atol_scale=1e-4)


def treated(cells: Any, **options: Any) -> Any:
    """Simulate lymphodepletion and CAR-T cells at the same time, as the paper does."""
    return simulate(
        load_model("park_2025"),
        therapy={
            "lymphodepletion": Dose("lymphodepletion", 1935.0, at=0.0),
            "cells": Dose("car_t", cells, at=0.0),
        },
        save_at=[],
        solver=FINE,
        **options,
    )


@check("One patient after 1e6 cells per kg", kind="reproduction", model="park_2025")
def one_patient() -> Findings:
    result = treated(
        7e7,
        stop=730.0,
        metrics={
            "peak": Maximum("car_t"),
            "day": TimeOfMaximum("car_t"),
            "day_8_5": ValueAt("car_t", 8.5),
            "CD4": Minimum("host.CD4"),
            "CD8": Minimum("host.CD8"),
            "NT": Minimum("host.NT"),
            "IFN": ValueAt("disease.IFN", 90.0),
            "AAb": ValueAt("disease.AAb", 730.0),
            "C3": ValueAt("disease.C3", 90.0),
            "PTU": ValueAt("disease.PTU", 90.0),
        },
    )
    rows = []
    # The antibodies stay where a switch leaves them, which falls inside a step of any solver: half
    # a percent, and what that makes of the other markers.
    for words, unit, number, name, relative in (
        ("peak of CAR-T cells in blood", "cell/L", 131.4e6, "peak", 1e-3),
        ("CAR-T cells in blood on day 8.5", "cell/L", 129.9713e6, "day_8_5", 1e-3),
        ("lowest CD4+ T cells", "cell/uL", 39.5, "CD4", 2e-3),
        ("lowest CD8+ T cells", "cell/uL", 19.5, "CD8", 4e-3),
        ("lowest neutrophils", "cell/uL", 144.0, "NT", 4e-3),
        ("antibodies to DNA after the B cells", "IU/L", 452.882, "AAb", 5e-3),
        ("interferon alpha on day 90", "pg/mL", 2.02e-2, "IFN", 5e-3),
        ("complement C3 on day 90", "mg/L", 1111.487, "C3", 1e-3),
        ("protein in urine on day 90", "mg/g", 592.7525, "PTU", 1e-3),
    ):
        rows.append(near(words, unit, number, result[name], OTHER, relative=relative))
    rows.append(near("day of the peak", "day", 8.75, result["day"], OTHER, absolute=0.13))
    for words, unit, name, low, high in (
        ("peak of CAR-T cells in blood", "cell/L", "peak", 30e6, 1000e6),
        ("day of the peak", "day", "day", 7.0, 10.0),
        ("lowest CD4+ T cells", "cell/uL", "CD4", 20.0, 100.0),
        ("lowest CD8+ T cells", "cell/uL", "CD8", 10.0, 30.0),
        ("interferon alpha on day 90", "pg/mL", "IFN", 0.02, 0.3),
        ("complement C3 on day 90", "mg/L", "C3", 800.0, 2000.0),
    ):
        rows.append(
            within(
                f"{words}, range of five patients",
                unit,
                float(np.sqrt(low * high)),
                result[name],
                FIGURE,
                (low, high),
                definition="published: geometric middle of the range",
                published_interval=(low, high),
            )
        )
    return Findings(tuple(rows))


@check("Peak and return of B cells by dose", kind="reproduction", model="park_2025")
def by_dose() -> Findings:
    share = np.array([0.01, 0.05, 0.10, 0.50, 1.00])
    result = treated(
        7e7 * share,
        stop=200.0,
        metrics={
            "peak": Maximum("car_t"),
            "day": TimeOfMaximum("car_t"),
            "B_200": ValueAt("b_cells", 200.0),
        },
    )
    rows = []
    expected = zip(
        share,
        (71.35e6, 68.81e6, 73.13e6, 105.70e6, 130.00e6),
        (12.5, 11.5, 11.0, 9.5, 8.5),
        (201.1e6, 201.8e6, 201.1e6, 193.0e6, 181.5e6),
        strict=True,
    )
    # The peaks are the largest of values every half day: up to a percent below the true ones.
    for k, (part, peak, day, B_200) in enumerate(expected):
        words = f"after {part:.0%} of 1e6 cells per kg"
        rows += [
            near(f"peak {words}", "cell/L", peak, result["peak"][k], OTHER, relative=1.2e-2),
            near(f"day of the peak {words}", "day", day, result["day"][k], OTHER, absolute=0.3),
            near(
                f"B cells on day 200 {words}",
                "cell/L",
                B_200,
                result["B_200"][k],
                OTHER,
                relative=1e-3,
            ),
        ]
    return Findings(tuple(rows))
