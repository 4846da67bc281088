"""Nowak et al. 1996: release of virus, half-lives under therapy, and the two-phase closed form."""

import numpy as np

from carsim import Cited, Derived, Solver, load_model, simulate
from carsim.verification import Curve, Findings, check, near

ABSTRACT = Cited("10.1073/pnas.93.9.4398").at("abstract")
FORMULA = Derived("the closed form, evaluated in NumPy")
FINE = Solver(rtol=1e-9)


@check("Release and half-lives of the abstract", kind="reproduction", model="nowak_1996")
def half_lives() -> Findings:
    untreated = simulate(load_model("nowak_1996"), stop=10.0, save_at=[10.0], outputs=["release"])
    rows = [
        near(
            "virions released a day",
            "virion/day",
            1e11,
            untreated["release"],
            ABSTRACT,
            relative=1e-3,
        )
    ]
    for variant, published in (("short_lived", 10.0), ("long_lived", 100.0)):
        result = simulate(
            load_model("nowak_1996"),
            variants=[variant],
            # No new infection: production is blocked to a part in a billion.
            parameters={"eps": 1.0 - 1e-9},
            stop=200.0,
            save_at=[1.0, 2.0, 100.0, 200.0],
            outputs=["V"],
            solver=FINE,
        )
        fall = np.diff(np.log2(result["V"].to_numpy()))
        rows.append(
            near(
                f"half-life of free virus, {variant}",
                "day",
                1.0,
                -1.0 / fall[0],
                ABSTRACT,
                relative=1e-3,
            )
        )
        rows.append(
            near(
                f"half-life of infected cells in the second phase, {variant}",
                "day",
                published,
                -100.0 / fall[2],
                ABSTRACT,
                relative=1e-3,
            )
        )
    return Findings(tuple(rows))


@check("Two-phase decline with frozen target cells", kind="closed form", model="nowak_1996")
def closed_form() -> Findings:
    c, delta, eps, infection = np.log(2.0), 0.05, 0.99, 2e-3
    days = np.linspace(0.0, 60.0, 61)
    # With T constant, (I, V) is a linear system: its eigenvalues and vectors give the solution.
    production = 1.0
    matrix = np.array([[-delta, infection], [(1.0 - eps) * production, -c]])
    values, vectors = np.linalg.eig(matrix)
    start = np.array([c / production, 1.0])
    weights = np.linalg.solve(vectors, start)
    # Real values: newer versions of NumPy return them as complex numbers.
    expected = (vectors[1] @ (weights[:, None] * np.exp(values[:, None] * days))).real
    size = 1e13  # so many target cells that infection does not use them up
    result = simulate(
        load_model("nowak_1996"),
        parameters={
            "s": 0.0,
            "d": 1e-9,
            "b": infection / size,
            "delta": delta,
            "p": production,
            "c": c,
            "eps": eps,
        },
        initial={"T": size, "I": start[0], "V": start[1]},
        stop=60.0,
        save_at=days,
        outputs=["V"],
        solver=Solver(rtol=1e-10),
    )
    found = result["V"].to_numpy()
    rows = [
        near(f"V/V(0) on day {day}", "1", expected[day], found[day], FORMULA, relative=1e-6)
        for day in (1, 5, 20, 60)
    ]
    curve = Curve(
        "Virus under therapy that blocks 99 % of production, frozen target cells",
        "time (day)",
        "V / V(0)",
        {"carsim": (days, found)},
        {"closed form": (days[::5], expected[::5])},
        log_y=True,
    )
    return Findings(tuple(rows), (curve,))
