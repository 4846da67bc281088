"""CAR-T cells that expand on the tumor, with saturation (Chaudhury et al. 2020, Eqs 7-9).

Until T_max the CAR-T cells C_E expand at a rate that saturates in both cells and tumor U; after it
they decline, a few of them into persistent cells C_P. The tumor grows by Gompertz' law towards
U_max, and its growth is switched off smoothly below U_crit (F_cure), which stands for extinction.

Cells per microliter of blood. The right-hand side switches branch at T_max, which step-size control
finds; a stop placed there (any therapy item that starts at T_max) makes a step land on it. The
values are those of the file that BioModels curates. `chaudhury_2020b` is the model with first-order
expansion of the supplement, `chaudhury_2020c` the predator-prey model, both of the same review.

Reference
    A. Chaudhury et al. (2020). Chimeric antigen receptor T cell therapies: a review of cellular
    kinetic-pharmacodynamic modeling approaches. J. Clin. Pharmacol. doi:10.1002/jcph.1691
"""

from carsim import Assumed, Cited, Model, Parameters, State, observable, parameter, route, state
from carsim.math import hill, log, maximum, where

PAPER = Cited("10.1002/jcph.1691")
CURATED = PAPER.at("Eqs 7-9, BioModels BIOMD0000001025")


class Blood(State):
    C_E: float = state(10.0, "cell/uL", "expanding CAR-T cells", CURATED, atol=1e-9)
    C_P: float = state(0.0, "cell/uL", "persistent CAR-T cells", CURATED, atol=1e-9)
    U: float = state(900.0, "cell/uL", "tumor cells", CURATED, atol=1e-9)


class Rates(Parameters):
    rho: float = parameter(8.8, "1/day", "maximal expansion", CURATED)
    EC_50_rho: float = parameter(1.0, "cell/uL", "cells for half of it", CURATED, lower=1e-9)
    T_max: float = parameter(9.3, "day", "end of the expansion", CURATED)
    k_EP: float = parameter(0.0012, "1/day", "conversion to persistent cells", CURATED)
    k_E: float = parameter(0.16, "1/day", "decline of expanded cells", CURATED)
    beta: float = parameter(0.0032, "1/day", "decline of persistent cells", CURATED)
    g: float = parameter(0.2, "1/day", "growth of tumor", CURATED)
    d: float = parameter(0.35, "1/day", "maximal killing", CURATED)
    EC_50_d: float = parameter(10.0, "cell/uL", "cells for half of it", CURATED, lower=1e-9)
    U_max: float = parameter(1000.0, "cell/uL", "capacity of the tumor", CURATED, lower=2.0)
    U_crit: float = parameter(0.1, "cell/uL", "tumor that does not regrow", CURATED, lower=1e-9)
    h: float = parameter(3.0, "1", "steepness of the switch", CURATED, lower=1.0)
    U_unit: float = parameter(
        1.0, "cell/uL", "unit of the logarithms", Assumed("log10 is of cells per uL")
    )
    U_floor: float = parameter(
        1e-12,
        "cell/uL",
        "tumor below which the logarithm is held",
        Assumed("keeps log(0) out; growth there is U_crit^-3 U^4, below 1e-43 cell/uL/day"),
        lower=1e-300,
    )


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    expansion = p.rho * y.C_E * y.U / (p.EC_50_rho + y.C_E + y.U)
    killing = p.d * y.C_E * y.U / (p.EC_50_d + y.C_E + y.U)
    # The base of the logarithms cancels.
    room = 1.0 - log(maximum(y.U, p.U_floor) / p.U_unit) / log(p.U_max / p.U_unit)
    return Blood(
        C_E=where(t <= p.T_max, expansion, -(p.k_EP + p.k_E) * y.C_E),
        C_P=where(t <= p.T_max, 0.0, p.k_EP * y.C_E - p.beta * y.C_P),
        U=hill(y.U, p.U_crit, p.h) * p.g * y.U * room - killing,
    )


@observable("cell/uL", "CAR-T cells")
def car_t(t: float, y: Blood, p: Rates) -> float:
    return y.C_E + y.C_P


MODEL = Model(
    "chaudhury_2020",
    rhs,
    Blood,
    Rates,
    time_unit="day",
    observables=(car_t,),
    routes=(route("car_t", "cell/uL", "infused CAR-T cells in blood", {"C_E": 1.0}),),
    reference="doi:10.1002/jcph.1691",
    area="CAR-T and leukemia",
)
