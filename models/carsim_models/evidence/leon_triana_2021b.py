"""Leon-Triana et al. 2021 (Cancers 13:703): thresholds of the text, and the curated equations."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim import Cited, Derived, Maximum, Solver, TimeOfMaximum, load_model, simulate
from carsim.verification import Curve, Findings, check, near, within

PAPER = Cited("10.3390/cancers13040703")
RERUN = Derived("equations of BIOMD0000001014 and BIOMD0000001013 in SciPy LSODA, rtol 1e-11")
FINE = Solver(rtol=1e-9)

Values: TypeAlias = float | NDArray[np.float64]


@check(
    "Dual target: cells expand off the tumor and control it",
    kind="reproduction",
    model="leon_triana_2021b",
)
def dual_target() -> Findings:
    result = simulate(
        load_model("leon_triana_2021b"),
        stop=200.0,
        save_at=np.arange(201.0),
        outputs=["T", "C_bar"],
        metrics={
            "peak_in": Maximum("C"),
            "day_in": TimeOfMaximum("C"),
            "peak_off": Maximum("C_bar"),
            "day_off": TimeOfMaximum("C_bar"),
        },
        solver=FINE,
    )
    time = result["time"].to_numpy()
    lines = {name: (time, result[name].to_numpy()) for name in ("T", "C_bar")}
    days = np.array([7.0, 14.0, 28.0, 60.0, 120.0, 180.0])
    tumor = np.array([2.26698e10, 6.37521e7, 35.5263, 0.479108, 1.49745, 4.97167])
    off_tumor = np.array([1.37684e9, 3.86005e9, 4.54758e8, 1.1344e5])
    rows = [
        near("peak in the tumor", "cell", 5.0477e9, result["peak_in"], RERUN, relative=1e-3),
        near("day of it", "day", 16.54, result["day_in"], RERUN, absolute=0.02),
        near("peak off the tumor", "cell", 3.88473e9, result["peak_off"], RERUN, relative=1e-3),
        near("day of it", "day", 14.56, result["day_off"], RERUN, absolute=0.02),
    ]
    for day, value in zip(days, tumor, strict=True):
        found = np.interp(day, *lines["T"])
        words = f"tumor on day {day:g}"
        rows.append(near(words, "cell", value, found, RERUN, relative=1e-3))
    curve = Curve(
        "Dual-target CAR-T cells",
        "time [day]",
        "number [cell]",
        # Less than a tenth of a cell is not drawn.
        {name: (time, np.maximum(course, 0.1)) for name, (_, course) in lines.items()},
        {"T, SciPy": (days, tumor), "C_bar, SciPy": (days[:4], off_tumor)},
        log_y=True,
    )
    return Findings(tuple(rows), (curve,))


@check(
    "Single target: thresholds of immune suppression and of the dose",
    kind="reproduction",
    model="leon_triana_2021b",
)
def single_target() -> Findings:
    """Look for the first value at which the tumor is above a tenth of its start after 180 days.

    The paper calls a tumor controlled that is below 10 % (section 4.2).
    """
    model = load_model("leon_triana_2021b")

    def controlled(alpha_1: Values, dose: Values) -> NDArray[np.bool_]:
        result = simulate(
            model,
            variants=["single_target"],
            parameters={"alpha_1": alpha_1, "C_0": dose, "T_0": 3.35e10},
            stop=180.0,
            save_at=[180.0],
            outputs=["T"],
            solver=FINE,
        )
        return np.asarray(result["T"].to_numpy()[:, 0] < 3.35e9)

    suppression = np.linspace(0.0, 0.06, 61)
    dose = np.linspace(0.5e8, 4.0e8, 71)
    return Findings(
        (
            within(
                "largest alpha_1 that 8e7 cells overcome",
                "1/day",
                0.03,
                suppression[controlled(suppression, 8.0e7)].max(),
                PAPER.at("section 3.1, Figure 1"),
                (0.025, 0.035),
                definition="0.03 to its one digit; grid of 0.001/day",
            ),
            within(
                "smallest dose that controls the tumor at alpha_1 = 0.04",
                "cell",
                2.0e8,
                dose[controlled(0.04, dose)].min(),
                PAPER.at("section 3.2, Figure 3"),
                (1.5e8, 2.0e8),
                definition="1.5e8 fails and 2e8 controls in Figure 3; grid of 5e6 cells",
            ),
        )
    )
