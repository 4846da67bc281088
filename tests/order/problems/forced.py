"""Problems that depend on time, with solutions in closed form.

- ``x' = -2 t x^2`` with solution ``1 / (1 + t^2)``: nonlinear in state and time;
- two linear compartments with the input ``exp(-c t)``: solved by a matrix exponential;
- Prothero & Robinson's ``r' = -stiffness (r - f(t)) + f'(t)`` with ``f(t) = exp(-t)``: solution f,
  however stiff it is (Math. Comp. 28:145, 1974).
"""

from carsim import Assumed, Model, Parameters, State, parameter, state
from carsim.math import exp

KNOWN = Assumed("problem with a known solution")


class Courses(State):
    x: float = state(1.0, "1", "rational", KNOWN)
    u: float = state(1.0, "1", "first compartment", KNOWN)
    v: float = state(0.5, "1", "second compartment", KNOWN)
    r: float = state(1.0, "1", "Prothero and Robinson", KNOWN)


class Rates(Parameters):
    a: float = parameter(2.0, "1/day", "from the first to the second", KNOWN)
    b: float = parameter(0.7, "1/day", "back", KNOWN)
    c: float = parameter(1.3, "1/day", "fading of the input", KNOWN)
    stiffness: float = parameter(5.0, "1/day", "attraction to the solution", KNOWN)
    unit: float = parameter(1.0, "1/day", "inverse of the time unit", KNOWN)


def rhs(t: float, y: Courses, p: Rates) -> Courses:
    time = p.unit * t
    f = exp(-time)
    return Courses(
        x=-2 * p.unit * time * y.x * y.x,
        u=-p.a * y.u + p.b * y.v + p.unit * exp(-p.c * t),
        v=p.a * y.u - 2 * p.b * y.v,
        r=-p.stiffness * (y.r - f) - p.unit * f,
    )


MODEL = Model("forced", rhs, Courses, Rates)
