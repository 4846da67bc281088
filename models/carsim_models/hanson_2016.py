"""Inflammation under CAR-T cells in B-ALL (Hanson et al. 2016).

Memory CAR-T cells (CD8 C_m, helper H_m) that meet leukemic cells B under inflammation become
effectors (C_e, H_e) by n divisions; helpers speed up the CD8 ones. Effectors and leukemia
drive the inflammation I, which in turn recruits more of them. Memory cells and the other
lymphocytes L grow while there is room below l lymphocytes in all. A drug may remove inflammation at
a constant rate D: use a window on D.

Hours and cells per microliter; inflammation has an arbitrary unit. The values are those of the file
with which BioModels reproduced Fig 3.

Reference
    S. Hanson et al. (2016). Toxicity management in CAR T cell therapy for B-ALL: mathematical
    modelling as a new avenue for improvement. bioRxiv 049908. doi:10.1101/049908
"""

from carsim import Cited, Model, Parameters, State, observable, parameter, route, state
from carsim.math import maximum, power

CURATED = Cited("10.1101/049908").at("BioModels BIOMD0000000837")


class Blood(State):
    C_m: float = state(10.0, "cell/uL", "CD8 memory CAR-T cells", CURATED, atol=1e-6)
    C_e: float = state(10.0, "cell/uL", "CD8 effector CAR-T cells", CURATED, atol=1e-6)
    H_m: float = state(10.0, "cell/uL", "helper memory CAR-T cells", CURATED, atol=1e-6)
    H_e: float = state(10.0, "cell/uL", "helper effector CAR-T cells", CURATED, atol=1e-6)
    L: float = state(1600.0, "cell/uL", "other lymphocytes", CURATED, atol=1e-6)
    B: float = state(300.0, "cell/uL", "leukemic CD19+ cells", CURATED, atol=1e-9)
    I: float = state(140.0, "1", "inflammation", CURATED, atol=1e-6)


class Rates(Parameters):
    n: float = parameter(6.0, "1", "divisions from memory to effector", CURATED)
    r_1: float = parameter(0.003, "1/hour", "growth of leukemia", CURATED)
    r_2: float = parameter(0.1, "1/hour", "growth of CD8 memory cells", CURATED)
    r_3: float = parameter(0.1, "1/hour", "growth of helper memory cells", CURATED)
    r_4: float = parameter(0.1, "1/hour", "growth of other lymphocytes", CURATED)
    d_1: float = parameter(2.0e-4, "uL/cell/hour", "killing", CURATED)
    d_2: float = parameter(1.5, "1/hour", "decay of inflammation", CURATED, lower=1e-9)
    d_3: float = parameter(0.004, "1/hour", "death of CD8 effectors", CURATED)
    d_4: float = parameter(0.004, "1/hour", "death of helper effectors", CURATED)
    d_5: float = parameter(2.0e-4, "1/hour", "death of other lymphocytes", CURATED)
    p_0: float = parameter(200.0, "1/hour", "inflammation at rest", CURATED)
    p_1: float = parameter(0.002, "uL2/cell2/hour", "inflammation by effectors", CURATED)
    p_2: float = parameter(0.4, "cell/uL/hour", "source of other lymphocytes", CURATED)
    a_1: float = parameter(4.0e-7, "uL/cell/hour", "activation of CD8 cells", CURATED)
    a_2: float = parameter(2.0, "uL/cell", "help for it by helpers", CURATED)
    a_3: float = parameter(8.0e-5, "uL/cell/hour", "activation of helpers", CURATED)
    b: float = parameter(800.0, "1", "inflammation for half of it", CURATED, lower=1e-9)
    l: float = parameter(1600.0, "cell/uL", "capacity for lymphocytes", CURATED, lower=1.0)
    k: float = parameter(4800.0, "cell/uL", "capacity for leukemia", CURATED, lower=1.0)
    D: float = parameter(0.0, "1/hour", "inflammation removed by a drug", CURATED)


@observable("cell/uL", "lymphocytes in all")
def lymphocytes(t: float, y: Blood, p: Rates) -> float:
    return y.B + y.C_e + y.C_m + y.H_e + y.H_m + y.L


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    room = maximum(0.0, 1.0 - lymphocytes(t, y, p) / p.l)
    inflamed = y.I * y.I / (y.I * y.I + p.b * p.b)
    cd8 = p.a_1 * y.B * y.C_m * (1.0 + p.a_2 * y.H_e) * inflamed
    helpers = p.a_3 * y.B * y.H_m * inflamed
    burst = power(2.0, p.n)
    return Blood(
        C_m=p.r_2 * y.C_m * room - cd8,
        C_e=burst * cd8 - p.d_3 * y.C_e,
        H_m=p.r_3 * y.H_m * room - helpers,
        H_e=burst * helpers - p.d_4 * y.H_e,
        L=p.p_2 + p.r_4 * y.L * room - p.d_5 * y.L,
        B=p.r_1 * y.B * (1.0 - y.B / p.k) - p.d_1 * y.B * y.C_e,
        I=p.p_0 + p.p_1 * y.B * (y.C_e + y.H_e) - p.d_2 * y.I - p.D,
    )


MODEL = Model(
    "hanson_2016",
    rhs,
    Blood,
    Rates,
    time_unit="hour",
    observables=(lymphocytes,),
    routes=(
        route("cd8", "cell/uL", "infused CD8 memory CAR-T cells", {"C_m": 1.0}),
        route("helper", "cell/uL", "infused helper memory CAR-T cells", {"H_m": 1.0}),
    ),
    reference="doi:10.1101/049908",
    area="CAR-T and leukemia",
)
