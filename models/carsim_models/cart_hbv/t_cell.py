"""The patient's own T cells, and lymphodepletion.

Each daily course of conditioning adds one unit to an effect compartment that decays (k_LD) and
kills T cells. Their number regrows by Gompertz growth in competition with CAR-T cells within
weeks. What they can do recovers more slowly: `competence` is the share of normal T-cell help,
which falls by exp(-kappa_L) in a standard course of three units and returns with time constant
tau_L. The two together make `immune_competence`, with which the HBV module drives its
HBV-specific effectors.
"""

from carsim import Assumed, Derived, Parameters, State, parameter, state
from carsim.math import log
from carsim_models.cart_hbv.sources import PARK, TUNED

FIT = Derived("best point, models/calibration/reactivation.py")


class TCell(State):
    count: float = state(800.0, "cell/uL", "T cells in blood other than CAR-T", atol=1e-4)
    competence: float = state(1.0, "1", "T-cell help over normal", atol=1e-6)
    lymphodepletion: float = state(
        0.0, "1", "lymphodepletion, units of one daily course", atol=1e-6
    )


class TCellRates(Parameters):
    N_0: float = parameter(
        800.0,
        "cell/uL",
        "T cells before conditioning",
        TUNED,
        plausible=(200.0, 1500.0),
        lower=1e-3,
    )
    r_N: float = parameter(
        0.10,
        "1/day",
        "regrowth",
        Assumed("slower than the 0.17 of Kimmel 2021"),
        plausible=(0.03, 0.2),
    )
    k_N: float = parameter(
        2.6, "1/day", "killing per unit of lymphodepletion", TUNED, plausible=(1.0, 4.0)
    )
    k_LD: float = parameter(
        1.39, "1/day", "decay of lymphodepletion", PARK.at("lymphodepletion K-PD"), lower=1e-6
    )
    course: float = parameter(
        3.0, "1", "units in a standard course", Derived("three daily doses"), lower=1e-6
    )
    kappa_L: float = parameter(
        1.16,
        "1",
        "log-loss of competence in a standard course",
        FIT,
        plausible=(0.2, 2.0),
    )
    tau_L: float = parameter(
        87.5,
        "day",
        "recovery of competence",
        FIT,
        plausible=(75.0, 540.0),
        lower=1.0,
    )
    N_half: float = parameter(
        100.0,
        "cell/uL",
        "count that halves what competent T cells can do",
        Assumed("opportunistic infections appear below 100 to 200 CD4 cells per uL"),
        plausible=(20.0, 300.0),
    )


def initial(p: TCellRates) -> TCell:
    """Return the state before conditioning."""
    return TCell(count=p.N_0, competence=1.0, lymphodepletion=0.0)


def courses_per_day(y: TCell, p: TCellRates) -> float:
    """Return the effect of the conditioning in standard courses per day; its integral is one."""
    return p.k_LD * y.lymphodepletion / p.course


def immune_competence(y: TCell, p: TCellRates) -> float:
    """Return what the T cells can do against a virus, relative to before conditioning."""
    at_start = p.N_0 / (p.N_0 + p.N_half)
    return y.competence * y.count / ((y.count + p.N_half) * at_start)


def derivatives(y: TCell, p: TCellRates, *, car_t: float) -> TCell:
    """Return the rates of change; `car_t` is the CAR-T count in blood, cell/uL."""
    return TCell(
        count=(p.r_N * log(p.N_0 / (y.count + car_t)) - p.k_N * y.lymphodepletion) * y.count,
        competence=(1.0 - y.competence) / p.tau_L
        - p.kappa_L * courses_per_day(y, p) * y.competence,
        lymphodepletion=-p.k_LD * y.lymphodepletion,
    )
