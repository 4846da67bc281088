"""One compartment whose doses read parameters: a model with known answers for the tests."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state

WHY = Assumed("test")


class Body(State):
    central: float = state(0.0, "mg", "drug in plasma", atol=1e-12)
    depot: float = state(0.0, "mg", "drug in a depot", atol=1e-12)


class Settings(Parameters):
    k: float = parameter(1e-3, "1/day", "elimination", WHY)
    F: float = parameter(1.0, "1", "share of a dose", WHY)
    G: float = parameter(0.25, "1", "share of a tablet", WHY)
    lag: float = parameter(0.0, "day", "lag", WHY)
    rate: float = parameter(10.0, "mg/day", "rate", WHY)
    long: float = parameter(2.0, "day", "duration", WHY)
    first: float = parameter(0.0, "mg", "drug at the start", WHY)
    unread: float = parameter(1.0, "1", "that nothing reads", WHY)


@observable("mg", "drug in both")
def both(t: float, y: Body, p: Settings) -> float:
    return y.central + y.depot


def rhs(t: float, y: Body, p: Settings) -> Body:
    return Body(central=-p.k * y.central, depot=-p.k * y.depot)


def initial(p: Settings) -> Body:
    return Body(central=p.first, depot=0.0 * p.first)


MODEL = Model(
    "settings",
    rhs,
    Body,
    Settings,
    observables=(both,),
    routes=(
        route("iv", "mg", "injection", {"central": 1.0}),
        route("oral", "mg", "tablet", {"central": lambda p: p.G, "depot": 0.5}),
    ),
    initial=initial,
)
