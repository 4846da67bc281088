"""States with known courses, for rules: a clock, a decay, a drug."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state
from carsim.math import where

WHY = Assumed("test")


class Things(State):
    clock: float = state(0.0, "day", "time", atol=1e-9, signed=True)
    decay: float = state(100.0, "mg", "what decays", WHY, atol=1e-9)
    drug: float = state(0.0, "mg", "what is given", atol=1e-9)
    given: float = state(0.0, "mg", "all that was ever given and infused", atol=1e-9)


class Rates(Parameters):
    one: float = parameter(1.0, "1", "rate of the clock", WHY, lower=-10.0)
    k: float = parameter(0.1, "1/day", "decay", WHY)
    out: float = parameter(0.5, "1/day", "elimination of the drug", WHY)
    rate: float = parameter(0.2, "1/day", "a hazard", WHY)
    slope: float = parameter(0.05, "1/day^2", "rise of a hazard", WHY)
    day: float = parameter(1.0, "day", "unit of the grade", WHY, lower=1e-6)


def rhs(t: float, y: Things, p: Rates) -> Things:
    return Things(
        clock=p.one,
        decay=-p.k * y.decay,
        drug=-p.out * y.drug,
        given=0.0 * y.given,
    )


@observable("1", "0 before day 5, 1 from then on, 2 from day 12 on")
def grade(t: float, y: Things, p: Rates) -> float:
    return where(y.clock < 5.0 * p.day, 0.0, where(y.clock < 12.0 * p.day, 1.0, 2.0))


@observable("1/day", "a hazard that rises with the time")
def rising_hazard(t: float, y: Things, p: Rates) -> float:
    return p.rate + p.slope * y.clock


MODEL = Model(
    "clock",
    rhs,
    Things,
    Rates,
    observables=(grade, rising_hazard),
    routes=(route("dose", "mg", "into both", {"drug": 1.0, "given": 1.0}),),
)
