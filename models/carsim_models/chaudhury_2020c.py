"""CAR-T cells and tumor as predator and prey (Chaudhury et al. 2020, Eqs 4-5).

The Lotka-Volterra equations: CAR-T cells C expand in proportion to tumor cells U and kill them by
mass action. Whatever the dose, orbits are closed and the tumor always returns. The values are those
of the file with which BioModels reproduced Fig 3C; cells per microliter of blood.

Reference
    A. Chaudhury et al. (2020). Chimeric antigen receptor T cell therapies: a review of cellular
    kinetic-pharmacodynamic modeling approaches. J. Clin. Pharmacol. doi:10.1002/jcph.1691
"""

from carsim import Cited, Model, Parameters, State, parameter, route, state

PAPER = Cited("10.1002/jcph.1691")
CURATED = PAPER.at("Eqs 4-5, BioModels BIOMD0000001024")


class Blood(State):
    C: float = state(10.0, "cell/uL", "expanding CAR-T cells", CURATED, atol=1e-9)
    U: float = state(900.0, "cell/uL", "tumor cells", CURATED, atol=1e-9)


class Rates(Parameters):
    rho: float = parameter(0.0018, "uL/cell/day", "expansion", CURATED)
    k_E: float = parameter(0.16, "1/day", "decline of CAR-T cells", CURATED)
    g: float = parameter(0.15, "1/day", "growth of tumor", CURATED)
    d: float = parameter(1.5e-4, "uL/cell/day", "killing", CURATED)


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    return Blood(C=p.rho * y.C * y.U - p.k_E * y.C, U=p.g * y.U - p.d * y.C * y.U)


MODEL = Model(
    "chaudhury_2020c",
    rhs,
    Blood,
    Rates,
    time_unit="day",
    routes=(route("car_t", "cell/uL", "infused CAR-T cells in blood", {"C": 1.0}),),
    reference="doi:10.1002/jcph.1691",
    area="CAR-T and leukemia",
)
