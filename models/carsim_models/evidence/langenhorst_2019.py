"""Langenhorst et al. 2019: exposure in closed form, and what the paper says of it."""

import numpy as np

from carsim import AreaUnder, Cited, Derived, Infusion, Solver, load_model, simulate
from carsim.verification import Findings, check, near, within

PAPER = Cited("10.1007/s40262-018-0715-9")
FORMULA = Derived("dose over clearance, the published equation of the clearance by hand")
FINE = Solver(rtol=1e-9)


@check("Area under the curve is dose over clearance", kind="closed form", model="langenhorst_2019")
def area() -> Findings:
    rows = []
    # Weight (kg), eGFR (mL/min), dose (mg) of each of four days.
    for weight, egfr, dose in ((70.0, 110.0, 74.0), (70.0, 40.0, 74.0), (15.0, 140.0, 25.0)):
        result = simulate(
            load_model("langenhorst_2019"),
            parameters={"BW": weight, "eGFR": egfr},
            therapy={
                "fludarabine": Infusion(
                    "fludarabine", 0.0, amount=dose, duration=1.0, every=24.0, count=4
                )
            },
            stop=1000.0,
            save_at=[],
            metrics={"area": AreaUnder("concentration", 0.0, 1000.0)},
            solver=FINE,
        )
        clearance = (3.24 + 0.782 * egfr * 0.06) * (weight / 70.0) ** 0.75
        words = f"cumulative AUC of 4 x {dose:g} mg, {weight:g} kg, eGFR {egfr:g} mL/min"
        rows.append(
            near(words, "mg*hour/L", 4.0 * dose / clearance, result["area"], FORMULA, relative=1e-5)
        )
    return Findings(tuple(rows))


@check("Renal share and range of exposure", kind="reproduction", model="langenhorst_2019")
def claims() -> Findings:
    typical = simulate(
        load_model("langenhorst_2019"), stop=1.0, save_at=[0.0], outputs=["renal_share"]
    )
    # 160 mg/m2 in all to an adult of 1.85 m2, with the adults' median and the best renal function.
    result = simulate(
        load_model("langenhorst_2019"),
        parameters={"eGFR": np.array([110.0, 140.0])},
        therapy={
            "fludarabine": Infusion(
                "fludarabine", 0.0, amount=74.0, duration=1.0, every=24.0, count=4
            )
        },
        stop=1000.0,
        save_at=[],
        metrics={"area": AreaUnder("concentration", 0.0, 1000.0)},
    )
    rows = [
        near(
            "renal share of the clearance of adults",
            "1",
            0.65,
            typical["renal_share"],
            PAPER.at("Key points: approximately 65 %"),
            absolute=0.05,
            definition="at the adults' median eGFR of 110 mL/min",
        )
    ]
    rows += [
        within(
            f"cumulative AUC of 160 mg/m2, eGFR {egfr:g} mL/min",
            "mg*hour/L",
            38.0,
            area,
            PAPER.at("abstract: the patients' areas ranged from 10 to 66, 38 is the middle"),
            (10.0, 66.0),
            published_interval=(10.0, 66.0),
        )
        for egfr, area in zip((110.0, 140.0), result["area"].to_numpy(), strict=True)
    ]
    return Findings(tuple(rows))
