"""Five non-stiff equations in the manner of Leon-Triana et al. (2021); made up for timing.

CAR-T cells, leukemia, B cells and two stages of their precursors with feedback. Equations and
values are those of the reference suite `bench`, file `nonstiff5.json`.
"""

from carsim import Assumed, Model, Parameters, State, parameter, route, state

MADE_UP = Assumed("equations made up for timing, not for biology")
ATOL = 1e-11
"""A millionth of 1e-5, the relative tolerance near which the table is read."""


class Pools(State):
    C: float = state(0.0, "1", "CAR-T cells", MADE_UP, atol=ATOL)
    L: float = state(5.0, "1", "leukemic cells", MADE_UP, atol=ATOL)
    B: float = state(2.5, "1", "mature B cells", MADE_UP, atol=ATOL)
    P: float = state(0.1, "1", "precursors, early", MADE_UP, atol=ATOL)
    I: float = state(0.4, "1", "precursors, late", MADE_UP, atol=ATOL)


class Rates(Parameters):
    rhoC: float = parameter(0.1125, "1/day", "stimulation by targets", MADE_UP)
    rhoB: float = parameter(0.01, "1/day", "stimulation by precursors", MADE_UP)
    tauC: float = parameter(14.0, "day", "life time of CAR-T cells", MADE_UP)
    rhoL: float = parameter(0.03333333333333333, "1/day", "growth of leukemia", MADE_UP)
    alpha: float = parameter(0.45, "1/day", "killing", MADE_UP)
    beta: float = parameter(0.1, "1", "killing of precursors, relative", MADE_UP)
    tauB: float = parameter(60.0, "day", "life time of B cells", MADE_UP)
    tauI: float = parameter(6.0, "day", "life time of late precursors", MADE_UP)
    tauP: float = parameter(10.0, "day", "life time of early precursors", MADE_UP)
    rhoP: float = parameter(0.4, "1/day", "division of early precursors", MADE_UP)
    rhoI: float = parameter(0.35, "1/day", "division of late precursors", MADE_UP)
    aP: float = parameter(0.75, "1", "self-renewal, early", MADE_UP)
    aI: float = parameter(0.65, "1", "self-renewal, late", MADE_UP)
    ks: float = parameter(0.5, "1", "feedback of precursors", MADE_UP)


def rhs(t: float, y: Pools, p: Rates) -> Pools:
    feedback = 1 / (1 + p.ks * (y.P + y.I))
    return Pools(
        C=p.rhoC * (y.L + y.B) * y.C + p.rhoB * y.I * y.C - y.C / p.tauC,
        L=p.rhoL * y.L - p.alpha * y.L * y.C,
        B=y.I / p.tauI - p.alpha * y.B * y.C - y.B / p.tauB,
        P=p.rhoP * (2 * p.aP * feedback - 1) * y.P - y.P / p.tauP,
        I=p.rhoI * (2 * p.aI * feedback - 1) * y.I
        - y.I / p.tauI
        + y.P / p.tauP
        - p.alpha * p.beta * y.I * y.C,
    )


MODEL = Model(
    "nonstiff5",
    rhs,
    Pools,
    Rates,
    time_unit="day",
    routes=(route("product", "1", "infused CAR-T cells", {"C": 1.0}),),
)

VARIED = ("rhoC", "tauC", "rhoL", "alpha", "tauB", "tauI", "tauP", "rhoP", "ks")
"""Parameters that differ between patients: log-normal, coefficient of variation 0.3."""
