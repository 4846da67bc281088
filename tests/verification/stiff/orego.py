"""OREGO: the Oregonator, a stiff relaxation oscillator (Field & Noyes 1974; IVP Test Set)."""

from carsim import Assumed, Model, Parameters, State, parameter, state

SUITE = Assumed("Test Set for IVP Solvers")


class Reactants(State):
    y1: float = state(1.0, "1", "bromous acid", SUITE)
    y2: float = state(2.0, "1", "bromide", SUITE)
    y3: float = state(3.0, "1", "cerium", SUITE)


class Rates(Parameters):
    k1: float = parameter(77.27, "1/s", "fast reaction", SUITE)
    k2: float = parameter(8.375e-6, "1", "saturation", SUITE)
    k3: float = parameter(77.27, "s", "time of bromide", SUITE)
    k4: float = parameter(0.161, "1/s", "cerium", SUITE)


def rhs(t: float, y: Reactants, p: Rates) -> Reactants:
    return Reactants(
        y1=p.k1 * (y.y2 + y.y1 - y.y1 * y.y2 - p.k2 * y.y1 * y.y1),
        y2=(y.y3 - (1 + y.y1) * y.y2) / p.k3,
        y3=p.k4 * (y.y1 - y.y3),
    )


MODEL = Model("orego", rhs, Reactants, Rates, time_unit="s")
