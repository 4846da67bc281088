"""Cortes-Rios et al. 2025: the typical patient against an independent solution of the equations.

The numbers were computed from the published equations and parameters with SciPy's BDF at a
relative tolerance of 1e-9: five years without treatment, then each of three courses.
"""

import numpy as np

from carsim import Cited, Derived, Solver, Window, load_model, simulate
from carsim.verification import Curve, Findings, check, near

MODEL = "cortes_rios_2025"
RERUN = Derived("published equations in SciPy BDF, rtol 1e-9")
PAPER = Cited("10.1002/cpt.3718").at("typical log10 e_NA, in the Pumas tutorial hbv_04")
YEARS_5 = 5.0 * 365.0
FINE = Solver(rtol=1e-8)
COURSE = {20.0: 9.304444, 100.0: 9.298424, 365.0: 9.104804, 730.0: 6.703478, YEARS_5: 6.030137}


@check("Five years of infection without treatment", kind="reproduction", model=MODEL)
def natural_course() -> Findings:
    days = np.linspace(0.0, YEARS_5, 366)
    result = simulate(
        load_model(MODEL),
        stop=YEARS_5,
        save_at=days,
        outputs=["log10_virus", "hbsag", "refractory_share"],
        solver=FINE,
    )
    virus = result["log10_virus"].to_numpy()
    rows = [
        near(
            f"log10 virus on day {day:g}",
            "1",
            published,
            virus[round(day / 5.0)],
            RERUN,
            absolute=1e-4,
        )
        for day, published in COURSE.items()
    ]
    rows += [
        near(
            "surface antigen after five years",
            "IU/mL",
            1839.3,
            result["hbsag"][-1],
            RERUN,
            relative=1e-3,
        ),
        near(
            "refractory share of the hepatocytes after five years",
            "1",
            0.99947,
            result["refractory_share"][-1],
            RERUN,
            absolute=1e-4,
        ),
    ]
    curve = Curve(
        "Typical patient without treatment",
        "time (day)",
        "log10 virus (virions/mL)",
        {"carsim": (days, virus)},
        {"SciPy": (np.array(list(COURSE)), np.array(list(COURSE.values())))},
    )
    return Findings(tuple(rows), (curve,))


@check("Treatment, and loss of all immune control", kind="reproduction", model=MODEL)
def interventions() -> Findings:
    end = YEARS_5 + 336.0
    analogue = Window("NA", start=YEARS_5, stop=end, value=1.0)
    interferon = Window("IFN", start=YEARS_5, stop=end, value=1.0)

    def virus(therapy: dict[str, Window], days: list[float]) -> list[float]:
        result = simulate(
            load_model(MODEL),
            therapy=therapy,
            stop=YEARS_5 + days[-1],
            save_at=[YEARS_5 + day for day in days],
            outputs=["log10_virus"],
            solver=FINE,
        )
        return [float(value) for value in result["log10_virus"]]

    start, on_analogue = virus({"analogue": analogue}, [0.0, 28.0])
    on_both, after = virus({"analogue": analogue, "interferon": interferon}, [28.0, 504.0])
    # Effectors act by killing and innate immunity by the conversion that it drives.
    lost = virus(
        {
            "effectors": Window("log10_m", start=YEARS_5, value=-20.0),
            "innate": Window("rho", start=YEARS_5, value=0.0),
        },
        [30.0, 90.0, 180.0, 365.0],
    )
    rows = [
        near(
            "fall in four weeks of nucleoside analogue",
            "1",
            1.485,
            start - on_analogue,
            PAPER,
            absolute=0.01,
            definition="log10 virus",
        ),
        near("log10 virus in week 4, analogue", "1", 4.541610, on_analogue, RERUN, absolute=1e-4),
        near(
            "log10 virus in week 4, analogue and interferon",
            "1",
            2.772662,
            on_both,
            RERUN,
            absolute=1e-4,
        ),
        near("log10 virus 24 weeks after the course", "1", 6.036143, after, RERUN, absolute=1e-4),
    ]
    rows += [
        near(
            f"rise {day} days after effectors and innate immunity are gone",
            "1",
            published,
            value - start,
            Derived("published equations in SciPy, E and X held at zero"),
            absolute=2e-3,
            definition="log10 virus",
        )
        for day, published, value in zip(
            (30, 90, 180, 365), (0.1869, 0.4263, 0.6398, 0.8944), lost, strict=True
        )
    ]
    return Findings(tuple(rows))
