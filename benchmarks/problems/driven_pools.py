"""A chain of pools that an oscillator drives up and down; made up for timing.

The pools swing about one level, whatever it is: at 1 they are ordinary, at 1e-310 they have decayed
into numbers that a processor may be slow with, in every product of the equations and of the stages.
"""

from carsim import Assumed, Model, Parameters, State, parameter, state

MADE_UP = Assumed("equations made up for timing, not for biology")


class Pools(State):
    u: float = state(1.0, "1", "oscillator", MADE_UP, atol=1e-11, signed=True)
    v: float = state(0.0, "1", "oscillator, a quarter behind", MADE_UP, atol=1e-11, signed=True)
    A: float = state(1.0, "1", "first pool", MADE_UP, atol=1e-11)
    B: float = state(1.0, "1", "second pool", MADE_UP, atol=1e-11)
    C: float = state(1.0, "1", "third pool", MADE_UP, atol=1e-11)
    D: float = state(1.0, "1", "fourth pool", MADE_UP, atol=1e-11)
    E: float = state(1.0, "1", "fifth pool", MADE_UP, atol=1e-11)
    F: float = state(1.0, "1", "sixth pool", MADE_UP, atol=1e-11)


class Rates(Parameters):
    level: float = parameter(1.0, "1", "about which the pools swing", MADE_UP)
    k: float = parameter(0.3, "1/day", "turnover of the pools", MADE_UP)
    w: float = parameter(1.0, "1/day", "turns of the oscillator", MADE_UP)


def rhs(t: float, y: Pools, p: Rates) -> Pools:
    return Pools(
        u=p.w * y.v,
        v=-p.w * y.u,
        A=p.k * (p.level * (1 + 0.5 * y.u)) - p.k * y.A,
        B=p.k * y.A - p.k * y.B,
        C=p.k * y.B - p.k * y.C,
        D=p.k * y.C - p.k * y.D,
        E=p.k * y.D - p.k * y.E,
        F=p.k * y.E - p.k * y.F,
    )


MODEL = Model("driven_pools", rhs, Pools, Rates, time_unit="day")
