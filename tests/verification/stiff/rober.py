"""ROBER: Robertson's three reactions over eleven decades of time (1966; IVP Test Set)."""

from carsim import Assumed, Model, Parameters, State, parameter, state

SUITE = Assumed("Test Set for IVP Solvers")


class Reactants(State):
    y1: float = state(1.0, "1", "reactant", SUITE)
    y2: float = state(0.0, "1", "intermediate", SUITE)
    y3: float = state(0.0, "1", "product", SUITE)


class Rates(Parameters):
    k1: float = parameter(0.04, "1/s", "slow reaction", SUITE)
    k2: float = parameter(3e7, "1/s", "very fast reaction", SUITE)
    k3: float = parameter(1e4, "1/s", "fast reaction", SUITE)


def rhs(t: float, y: Reactants, p: Rates) -> Reactants:
    forward = p.k1 * y.y1
    back = p.k3 * y.y2 * y.y3
    out = p.k2 * y.y2 * y.y2
    return Reactants(y1=back - forward, y2=forward - back - out, y3=out)


MODEL = Model("rober", rhs, Reactants, Rates, time_unit="s")
