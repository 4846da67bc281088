"""Hanson et al. 2016: inflammation and leukemia over 100 days.

The numbers were computed from the curated equations (BioModels BIOMD0000000837, which reproduces
Fig 3) with SciPy's LSODA at a relative tolerance of 1e-11.
"""

import numpy as np

from carsim import Derived, Maximum, Minimum, Solver, TimeOfMaximum, load_model, simulate
from carsim.verification import Curve, Findings, check, near

RERUN = Derived("equations of BIOMD0000000837 in SciPy LSODA, rtol 1e-11")


@check("Inflammation, effectors and leukemia", kind="reproduction", model="hanson_2016")
def inflammation() -> Findings:
    hours = np.array([24.0, 72.0, 168.0, 336.0, 720.0, 1200.0, 2400.0])
    published = {
        "I": (145.766, 156.007, 167.784, 146.63, 135.327, 135.555, 140.995),
        "B": (305.445, 308.263, 245.261, 93.2559, 39.1837, 78.2412, 130.951),
        "C_e": (10.8166, 16.17, 36.5122, 41.8798, 13.74, 4.65637, 14.7033),
        "H_e": (20.0396, 39.3451, 68.7815, 64.5264, 24.3621, 16.6748, 29.1511),
    }
    times = np.linspace(0.0, 2400.0, 1201)
    result = simulate(
        load_model("hanson_2016"),
        stop=2400.0,
        save_at=times,
        outputs=list(published),
        metrics={"peak": Maximum("I"), "hour": TimeOfMaximum("I"), "nadir": Minimum("B")},
        solver=Solver(rtol=1e-9),
    )
    words = {
        "I": ("inflammation", "1"),
        "B": ("leukemia", "cell/uL"),
        "C_e": ("CD8 effectors", "cell/uL"),
        "H_e": ("helper effectors", "cell/uL"),
    }
    rows = [
        near("peak of inflammation", "1", 167.8896, result["peak"], RERUN, relative=1e-4),
        near("hour of it", "hour", 160.27, result["hour"], RERUN, absolute=0.5),
        near("least leukemia", "cell/uL", 39.06921, result["nadir"], RERUN, relative=1e-3),
    ]
    for name, values in published.items():
        for hour, value in zip(hours, values, strict=True):
            found = np.interp(hour, times, result[name].to_numpy())
            text, unit = words[name]
            rows.append(near(f"{text} at hour {hour:g}", unit, value, found, RERUN, relative=1e-3))
    curve = Curve(
        "CAR-T cells in B-ALL",
        "time [hour]",
        "cell/uL; inflammation in its own unit",
        {words[name][0]: (times, result[name].to_numpy()) for name in published},
        {f"{words[name][0]}, SciPy": (hours, np.array(published[name])) for name in published},
    )
    return Findings(tuple(rows), (curve,))
