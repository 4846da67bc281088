"""Lewin et al. 2001: the two-phase closed form, and the half-lives of the abstract."""

import numpy as np

from carsim import Cited, Derived, Solver, Window, load_model, simulate
from carsim.verification import Curve, Findings, check, near

ABSTRACT = Cited("10.1053/jhep.2001.28509").at("abstract")
FORMULA = Derived("the closed form, evaluated in NumPy")
DELAY = 1.6
# Any item that starts when therapy begins to act makes the step land there.
STOP = {"begin": Window("V_unit", start=DELAY, scale=1.0)}


@check("Two-phase decline without new infection", kind="closed form", model="lewin_2001")
def closed_form() -> Findings:
    c, delta = 0.6931, 0.09627
    days = np.linspace(0.0, 84.0, 85)
    lines, points, rows = {}, {}, []
    for drug, eps in (("lamivudine", 0.94), ("lamivudine_famciclovir", 0.988)):
        result = simulate(
            load_model("lewin_2001"),
            variants=[drug],
            therapy=STOP,
            stop=84.0,
            save_at=days,
            outputs=["V"],
            solver=Solver(rtol=1e-10),
        )
        virus = result["V"].to_numpy() / float(result["V"][0])
        acting = np.maximum(days - DELAY, 0.0)
        share = (c * eps - delta) / (c - delta)
        expected = share * np.exp(-c * acting) + (1.0 - share) * np.exp(-delta * acting)
        rows += [
            near(
                f"V/V(0) on day {day}, {drug}",
                "1",
                expected[day],
                virus[day],
                FORMULA,
                relative=1e-6,
            )
            for day in (3, 14, 84)
        ]
        lines[drug] = (days, virus)
        points[f"closed form, {drug}"] = (days[::7], expected[::7])
    curve = Curve(
        "Virus under lamivudine without and with famciclovir",
        "time (day)",
        "V / V(0)",
        lines,
        points,
        log_y=True,
    )
    return Findings(tuple(rows), (curve,))


@check("Half-lives of the two phases", kind="reproduction", model="lewin_2001")
def half_lives() -> Findings:
    rows = []
    for phase, published in (("fastest", 1.0), ("slowest", 92.0)):
        result = simulate(
            load_model("lewin_2001"),
            variants=[phase],
            # Nothing is made any more: only free virus is seen to decay.
            parameters={"eps": 1.0},
            therapy=STOP,
            stop=DELAY + 1.0,
            save_at=[DELAY, DELAY + 0.25],
            outputs=["V"],
            solver=Solver(rtol=1e-9),
        )
        fall = float(np.log2(result["V"][0] / result["V"][1]))
        rows.append(
            near(
                f"half-life of the {phase} first phase",
                "hour",
                published,
                6.0 / fall,
                ABSTRACT,
                relative=1e-3,
            )
        )
    result = simulate(
        load_model("lewin_2001"),
        stop=84.0,
        save_at=[42.0, 84.0],
        outputs=["V"],
        solver=Solver(rtol=1e-9),
    )
    fall = float(np.log2(result["V"][0] / result["V"][1]))
    rows.append(
        near("half-life of the second phase", "day", 7.2, 42.0 / fall, ABSTRACT, relative=1e-3)
    )
    return Findings(tuple(rows))
