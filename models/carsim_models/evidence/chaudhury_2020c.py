"""Chaudhury et al. 2020, Eqs 4-5: predator and prey.

The numbers were computed from the curated equations (BioModels BIOMD0000001024) with SciPy's LSODA
at a relative tolerance of 1e-11.
"""

from carsim import (
    Derived,
    Last,
    Maximum,
    Minimum,
    Solver,
    TimeOfMaximum,
    TimeOfMinimum,
    load_model,
    simulate,
)
from carsim.verification import Findings, check, near

RERUN = Derived("equations of BIOMD0000001024 in SciPy LSODA, rtol 1e-11")


@check("The tumor returns", kind="reproduction", model="chaudhury_2020c")
def one_cycle() -> Findings:
    result = simulate(
        load_model("chaudhury_2020c"),
        stop=100.0,
        save_at=[],
        metrics={
            "peak": Maximum("C"),
            "day_peak": TimeOfMaximum("C"),
            "tumor": Maximum("U"),
            "day_tumor": TimeOfMaximum("U"),
            "nadir": Minimum("U"),
            "day_nadir": TimeOfMinimum("U"),
            "end": Last("U"),
            "left": Last("C"),
        },
        solver=Solver(rtol=1e-10),
    )
    numbers = (
        ("peak of CAR-T cells", "cell/uL", 14557.25, "peak"),
        ("day of it", "day", 4.991, "day_peak"),
        ("peak of the tumor", "cell/uL", 1228.955, "tumor"),
        ("day of it", "day", 2.579, "day_tumor"),
        ("least tumor", "cell/uL", 0.001216456, "nadir"),
        ("day of it", "day", 22.246, "day_nadir"),
        ("tumor on day 100", "cell/uL", 55.35069, "end"),
        ("CAR-T cells on day 100", "cell/uL", 0.007684272, "left"),
    )
    return Findings(
        tuple(
            near(words, unit, value, result[name], RERUN, relative=1e-3)
            for words, unit, value, name in numbers
        )
    )
