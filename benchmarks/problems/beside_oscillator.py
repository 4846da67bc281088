"""A chain of pools beside an oscillator that sets the steps; made up for timing.

The pools rest at one level, whatever it is: at 1 they are steady, at 1e-310 they have decayed into
numbers that a processor may be slow with. The steps are the same, so that a step's cost compares.
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
    level: float = parameter(1.0, "1", "where the pools rest", MADE_UP)
    k: float = parameter(0.3, "1/day", "turnover of the pools", MADE_UP)
    w: float = parameter(1.0, "1/day", "turns of the oscillator", MADE_UP)


def rhs(t: float, y: Pools, p: Rates) -> Pools:
    return Pools(
        u=p.w * y.v,
        v=-p.w * y.u,
        A=p.k * (p.level - y.A),
        B=p.k * (y.A - y.B),
        C=p.k * (y.B - y.C),
        D=p.k * (y.C - y.D),
        E=p.k * (y.D - y.E),
        F=p.k * (y.E - y.F),
    )


MODEL = Model("beside_oscillator", rhs, Pools, Rates, time_unit="day")
