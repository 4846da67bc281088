"""E5: pyrolysis, states of 1e-22 over thirteen decades of time (Enright & Hull; IVP Test Set)."""

from carsim import Assumed, Model, Parameters, State, parameter, state

SUITE = Assumed("Test Set for IVP Solvers")


class Reactants(State):
    y1: float = state(1.76e-3, "1", "reactant", SUITE)
    y2: float = state(0.0, "1", "intermediate", SUITE)
    y3: float = state(0.0, "1", "intermediate", SUITE)
    y4: float = state(0.0, "1", "intermediate", SUITE)


class Rates(Parameters):
    A: float = parameter(7.89e-10, "1/s", "slow reaction", SUITE)
    B: float = parameter(1.1e7, "1/s", "fast reaction", SUITE)
    MC: float = parameter(1.13e9, "1/s", "very fast reaction, M times C of the suite", SUITE)
    C: float = parameter(1.13e3, "1/s", "fast reaction", SUITE)


def rhs(t: float, y: Reactants, p: Rates) -> Reactants:
    slow = p.A * y.y1
    fast = p.B * y.y1 * y.y3
    very_fast = p.MC * y.y2 * y.y3
    return Reactants(
        y1=-slow - fast,
        y2=slow - very_fast,
        y3=slow - fast - very_fast + p.C * y.y4,
        y4=fast - p.C * y.y4,
    )


MODEL = Model("e5", rhs, Reactants, Rates, time_unit="s")
