"""Ogasawara et al. 2021: the five times of the abstract, measured on the simulated course."""

import numpy as np

from carsim import Cited, Maximum, Solver, TimeOfMaximum, load_model, simulate
from carsim.verification import Curve, Findings, check, near

ABSTRACT = Cited("10.1007/s40262-021-01039-5").at("abstract")


@check("Lag, doubling time, peak and half-lives", kind="reproduction", model="ogasawara_2021")
def five_times() -> Findings:
    """Measure the times on the course as one would on data.

    The half-life of the fast decline is that of the effectors, the one of the slow decline that of
    the whole after two years.
    """
    result = simulate(
        load_model("ogasawara_2021"),
        stop=1000.0,
        save_at=[*np.linspace(0.0, 100.0, 1001), *np.arange(101.0, 1001.0)],
        outputs=["E", "transgene", "transgene_closed_form"],
        metrics={"peak": Maximum("transgene"), "day": TimeOfMaximum("transgene")},
        solver=Solver(rtol=1e-9),
    )
    time, total = result["time"].to_numpy(), result["transgene"].to_numpy()
    effectors = result["E"].to_numpy()

    def value(course: np.ndarray, day: float) -> float:
        return float(np.interp(day, time, course))

    doubling = 4.0 / np.log2(value(total, 8.0) / value(total, 4.0))
    # The straight line of the growth on a log scale meets the level at the start there.
    lag = 8.0 - doubling * np.log2(value(total, 8.0) / value(total, 0.0))
    fast = 10.0 / np.log2(value(effectors, 20.0) / value(effectors, 30.0))
    slow = 200.0 / np.log2(value(total, 750.0) / value(total, 950.0))
    curve = Curve(
        "Liso-cel transgene, relative to its peak",
        "time [day]",
        "transgene / peak [1]",
        {
            "equations": (time[time <= 365.0], total[time <= 365.0]),
            "closed form": (
                time[time <= 365.0],
                result["transgene_closed_form"].to_numpy()[time <= 365.0],
            ),
        },
        log_y=True,
    )
    return Findings(
        (
            near("lag", "day", 3.27, lag, ABSTRACT, relative=1e-3),
            near("doubling time", "day", 0.755, doubling, ABSTRACT, relative=1e-3),
            near("time of the peak", "day", 9.29, result["day"], ABSTRACT, absolute=0.01),
            near("half-life of the fast decline", "day", 5.00, fast, ABSTRACT, relative=1e-3),
            near("half-life of the slow decline", "day", 352.0, slow, ABSTRACT, relative=1e-3),
        ),
        (curve,),
    )
