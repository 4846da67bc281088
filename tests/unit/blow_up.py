"""Equations that go wrong: a pole in finite time, and a root that turns NaN."""

from carsim import Assumed, Model, Parameters, State, parameter, state
from carsim.math import sqrt

WRONG = Assumed("test")


class Course(State):
    x: float = state(1.0, "1", "runs away at t = 1 / (rate x0)", WRONG, atol=1e-6)
    root: float = state(0.0, "1", "feeds on the square root of the time left", WRONG, atol=1e-6)


class Rates(Parameters):
    rate: float = parameter(0.0, "1/day", "growth", WRONG)
    until: float = parameter(1e6, "day", "end of time", WRONG)
    unit: float = parameter(1.0, "1/day", "inverse of the time unit", WRONG)


def rhs(t: float, y: Course, p: Rates) -> Course:
    return Course(
        x=p.rate * y.x * y.x,
        root=p.unit * sqrt(p.unit * (p.until - t)) - p.unit * y.root,
    )


MODEL = Model("blow_up", rhs, Course, Rates)
