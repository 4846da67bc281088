"""Nucleoside analogues: entecavir in plasma, the two-phase decline, and published responses."""

import numpy as np

from carsim import (
    Cited,
    Derived,
    Dose,
    Infusion,
    Maximum,
    Solver,
    TimeOfMaximum,
    load_model,
    simulate,
)
from carsim.verification import Curve, Findings, check, near, within

MODEL = "antiviral_drugs"
LABEL = Derived("US label of entecavir, 0.5 mg a day")
FORMULA = Derived("closed form of Lewin 2001, evaluated in NumPy")
LEUNG = Cited("10.1002/hep.22658").at("abstract")
LAU = Cited("10.1053/jhep.2000.9143").at("abstract, lamivudine alone: mean and SD")
DE_MAN = Derived("de Man 2001, dose ranging, mean fall by day 28")
AAC_2010 = Derived("Antimicrob. Agents Chemother. 2010 (PMC2826006), mean of 44 patients, SD 1.5")
TABLETS = {"tablets": Dose("entecavir", 0.5, 0.0, every=1.0)}
POTENCY = {"entecavir": 2.7, "lamivudine": 1.52, "tenofovir": 2.5}
WEEK_12 = 84.0


@check("Entecavir in plasma", kind="reproduction", model=MODEL)
def pharmacokinetics() -> Findings:
    days = np.r_[np.linspace(0.0, 1.0, 481), 20.0, 40.0, 45.0]
    result = simulate(
        load_model(MODEL),
        therapy={"tablets": Dose("entecavir", 0.5, 0.0, every=1.0, until=20.0)},
        stop=46.0,
        save_at=days,
        outputs=["entecavir"],
        metrics={
            "peak": Maximum("entecavir", 19.0, 20.0),
            "day": TimeOfMaximum("entecavir", 19.0, 20.0),
        },
        solver=Solver(rtol=1e-8),
    )
    plasma = result["entecavir"].to_numpy()
    first = np.trapezoid(plasma[:481], days[:481])
    steady = 500.0 / 772.8  # ug*day/L in a day: dose over clearance
    half_life = 24.0 * 5.0 / np.log2(plasma[-2] / plasma[-1])
    hours = 24.0 * (float(result["day"]) - 19.0)
    return Findings(
        (
            near("Cmax at steady state", "ng/mL", 4.2, result["peak"], LABEL, relative=0.1),
            near("trough at steady state", "ng/mL", 0.3, plasma[481], LABEL, relative=0.1),
            within("hours to Cmax", "hour", 0.75, hours, LABEL, (0.5, 1.5)),
            within(
                "terminal half-life",
                "hour",
                138.5,
                half_life,
                LABEL,
                (128.0, 149.0),
                published_interval=(128.0, 149.0),
            ),
            near("accumulation of a day's area", "1", 2.0, steady / first, LABEL, relative=0.1),
        )
    )


@check("Two-phase decline at constant efficacy", kind="closed form", model=MODEL)
def closed_form() -> Findings:
    c, delta = 0.67, 0.0963
    days = np.linspace(0.0, WEEK_12, 85)
    rows, lines, points = [], {}, {}
    for drug, potency in POTENCY.items():
        # The drug is at its steady state from the start, by mouth in equal parts of the day.
        plasma = 500.0 / 772.8
        result = simulate(
            load_model(MODEL),
            variants=[drug],
            parameters={"infection.eta": 1.0},
            initial={
                "entecavir.gut": 500.0 / 37.7,
                "entecavir.central": 50.0 * plasma,
                "entecavir.peripheral": 3450.0 * plasma,
                "entecavir.triphosphate": plasma,
            },
            therapy={"drug": Infusion("entecavir", 0.0, rate=0.5)},
            stop=WEEK_12,
            save_at=days,
            outputs=["infection.virus"],
            solver=Solver(rtol=1e-10),
        )
        virus = result["infection.virus"].to_numpy()
        virus = virus / virus[0]
        eps = 1.0 - 10.0**-potency
        share = (c * eps - delta) / (c - delta)
        expected = share * np.exp(-c * days) + (1.0 - share) * np.exp(-delta * days)
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
        "Virus under three drugs at constant efficacy, no new infection",
        "time (day)",
        "V / V(0)",
        lines,
        points,
        log_y=True,
    )
    return Findings(tuple(rows), (curve,))


@check("Fall of HBV DNA under daily tablets", kind="reproduction", model=MODEL)
def response() -> Findings:
    days = np.linspace(0.0, WEEK_12, 841)
    falls, efficacies = {}, {}
    for drug in POTENCY:
        result = simulate(
            load_model(MODEL),
            variants=[drug],
            therapy=TABLETS,
            stop=WEEK_12,
            save_at=days,
            outputs=["log10_hbv_dna", "antiviral_efficacy"],
            solver=Solver(rtol=1e-8),
        )
        virus = result["log10_hbv_dna"].to_numpy()
        falls[drug] = virus - virus[0]
        efficacies[drug] = float(result["antiviral_efficacy"][-240:].mean())
    fall = falls["entecavir"]
    # The first phase ends where the daily fall is midway between that of c and that of delta.
    slope = -np.gradient(fall, days) * np.log(10.0)
    after_start = days > 4.0
    ends = days[after_start][np.argmax(slope[after_start] < 0.5 * (0.67 + 0.0963))]
    rows = (
        near("end of entecavir's first phase", "day", 10.0, ends, LEUNG, absolute=3.0),
        near(
            "entecavir, log10 fall by week 12",
            "1",
            -6.23,
            fall[-1],
            LEUNG,
            absolute=0.7,
            definition="HBeAg-positive, at least 1e8 copies/mL",
        ),
        near("entecavir, log10 fall by week 12", "1", -6.5, fall[-1], AAC_2010, absolute=0.7),
        within(
            "entecavir 0.5 mg, log10 fall by day 28",
            "1",
            -2.81,
            fall[280],
            DE_MAN,
            (-4.0, -2.4),
            definition="the assay's limit cut the published fall short",
        ),
        within(
            "lamivudine, blocked share of the production",
            "1",
            0.94,
            efficacies["lamivudine"],
            LAU,
            (0.91, 0.97),
            published_interval=(0.91, 0.97),
            definition="mean of the last 24 days of 12 weeks; 150 mg a day in the paper",
        ),
    )
    curve = Curve(
        "Fall of HBV DNA under daily tablets",
        "time (day)",
        "log10 change of HBV DNA",
        {drug: (days, values) for drug, values in falls.items()},
        {
            "entecavir, Leung 2009": (np.array([84.0]), np.array([-6.23])),
            "entecavir, 44 patients (2010)": (np.array([84.0]), np.array([-6.5])),
            "entecavir, de Man 2001": (np.array([28.0]), np.array([-2.81])),
        },
    )
    return Findings(rows, (curve,))
