"""The virus of the flagship alone: acute infection, decline under entecavir.

beta_p was derived from Whalley 2001's doubling time, and the share of HBsAg from integrated DNA in
HBeAg-positive hepatitis chosen for its slow fall; the rest was not adjusted to these numbers.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from carsim import Cited, Derived, Infusion, Maximum, Solver, load_model, simulate
from carsim.verification import Curve, Findings, check, near, within

Array = NDArray[np.float64]

WHALLEY = Cited("10.1084/jem.193.7.847", "abstract")
LEUNG = Cited("10.1002/hep.22658", "abstract")
GOYAL = Cited("10.3390/v9110350", "abstract")
SLOW = Derived("medians of 0.05 to 0.10 a year after the first, abstracts such as PMID 26446756")


@check("Acute infection of a host without immunity", kind="cohort fitted", model="cart_hbv")
def acute_infection() -> Findings:
    days = np.arange(0.0, 180.5, 0.5)
    result = simulate(
        load_model("hbv_immunodepletion"),
        variants=["uninfected"],
        # Effectors that neither are there nor grow: nothing but target cells limits the virus.
        parameters={"hbv.E_0": 1e-9, "hbv.alpha": 1e-6, "hbv.f_mem": 1.0},
        initial={"hbv.virus": 0.33},
        stop=180.0,
        save_at=days,
        outputs=["hbv.virus"],
        metrics={"peak": Maximum("hbv.virus"), "infected": Maximum("infected_fraction")},
        solver=Solver(rtol=1e-8),
    )
    virus = result["hbv.virus"].to_numpy()
    growing = (virus > 1e3) & (virus < 1e7) & (days < days[virus.argmax()])
    slope = np.polyfit(days[growing], np.log(virus[growing]), 1)[0]
    return Findings(
        (
            near("doubling time", "day", 3.7, np.log(2.0) / slope, WHALLEY, absolute=0.5),
            within(
                "peak of HBV DNA",
                "copy/mL",
                1e10,
                result["peak"],
                WHALLEY,
                (10.0**8.5, 10.0**10.5),
                definition="1e9 to 1e10, half a decade either way",
            ),
            within(
                "share of the liver infected at the peak",
                "1",
                0.95,
                result["infected"],
                GOYAL,
                (0.95, 1.0),
                definition="95 % or more",
            ),
        ),
        (
            Curve(
                "Acute infection without immunity",
                "days after infection [day]",
                "HBV DNA [copy/mL]",
                {"carsim": (days, virus)},
                {"doubling in 3.7 days (Whalley 2001)": _doubling(days[growing], virus[growing])},
                log_y=True,
            ),
        ),
    )


def _doubling(days: Array, virus: Array) -> tuple[Array, Array]:
    """Growth that doubles every 3.7 days from where the virus grows freely."""
    at = days[:: max(len(days) // 8, 1)]
    return at, virus[0] * 2.0 ** ((at - days[0]) / 3.7)


@cache
def year_of_entecavir() -> tuple[Array, Array]:
    """Decades of HBV DNA and HBsAg on days 0, 84, 336 and 365 of entecavir."""
    result = simulate(
        load_model("cart_hbv"),
        variants=["hbeag_positive_hepatitis"],
        parameters={"leukemia.initial_cells": 0.0},
        therapy={"entecavir": Infusion("entecavir", 0.0, stop=400.0, rate=0.5)},
        stop=400.0,
        save_at=[0.0, 84.0, 336.0, 365.0],
        outputs=["log10_hbv_dna", "hbsag"],
        solver=Solver(rtol=1e-8),
    )
    return result["log10_hbv_dna"].to_numpy(), np.log10(result["hbsag"].to_numpy())


@check("HBeAg-positive hepatitis: HBV DNA on entecavir", kind="cohort predicted", model="cart_hbv")
def entecavir() -> Findings:
    dna, _ = year_of_entecavir()
    return Findings(
        (near("fall of HBV DNA by week 12", "1", -6.23, dna[1] - dna[0], LEUNG, absolute=0.7),)
    )


@check("HBeAg-positive hepatitis: HBsAg on entecavir", kind="cohort fitted", model="cart_hbv")
def surface_antigen() -> Findings:
    _, hbsag = year_of_entecavir()
    return Findings(
        (
            within(
                "fall of HBsAg in a year",
                "1",
                0.1,
                hbsag[0] - hbsag[3],
                SLOW,
                (0.05, 0.2),
                definition="decades; three quarters of HBsAg from integrated DNA, chosen for it",
            ),
        )
    )
