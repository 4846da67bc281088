"""HIRES: eight reactions of photomorphogenesis, mildly stiff (Schaefer 1975; IVP Test Set)."""

from carsim import Assumed, Model, Parameters, State, parameter, state

SUITE = Assumed("Test Set for IVP Solvers")


class Reactants(State):
    y1: float = state(1.0, "1", "reactant", SUITE)
    y2: float = state(0.0, "1", "reactant", SUITE)
    y3: float = state(0.0, "1", "reactant", SUITE)
    y4: float = state(0.0, "1", "reactant", SUITE)
    y5: float = state(0.0, "1", "reactant", SUITE)
    y6: float = state(0.0, "1", "reactant", SUITE)
    y7: float = state(0.0, "1", "reactant", SUITE)
    y8: float = state(0.0057, "1", "reactant", SUITE)


class Rates(Parameters):
    k: float = parameter(280.0, "1/s", "binding", SUITE)


def rhs(t: float, y: Reactants, p: Rates) -> Reactants:
    bound = p.k * y.y6 * y.y8
    return Reactants(
        y1=-1.71 * y.y1 + 0.43 * y.y2 + 8.32 * y.y3 + 0.0007,
        y2=1.71 * y.y1 - 8.75 * y.y2,
        y3=-10.03 * y.y3 + 0.43 * y.y4 + 0.035 * y.y5,
        y4=8.32 * y.y2 + 1.71 * y.y3 - 1.12 * y.y4,
        y5=-1.745 * y.y5 + 0.43 * y.y6 + 0.43 * y.y7,
        y6=-bound + 0.69 * y.y4 + 1.71 * y.y5 - 0.43 * y.y6 + 0.69 * y.y7,
        y7=bound - 1.81 * y.y7,
        y8=-bound + 1.81 * y.y7,
    )


MODEL = Model("hires", rhs, Reactants, Rates, time_unit="s")
