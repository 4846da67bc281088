"""Eighteen stiff equations, built like a CAR-T, leukemia and HBV model; made up for timing.

One parameter switch: `RN` and `RC` fall to zero on day 30, so inputs stop and fast pools empty.
Equations and values are those of the reference suite `bench`, file `stiff18.json`.
"""

from carsim import Assumed, Model, Parameters, State, parameter, route, state
from carsim.math import hill

MADE_UP = Assumed("equations made up for timing, not for biology")
ATOL = 1e-11
"""A millionth of 1e-5, the relative tolerance near which the table is read."""


class Pools(State):
    E: float = state(0.0, "1", "effector CAR-T cells", MADE_UP, atol=ATOL)
    M: float = state(0.0, "1", "memory CAR-T cells", MADE_UP, atol=ATOL)
    X: float = state(0.0, "1", "exhausted CAR-T cells", MADE_UP, atol=ATOL)
    Lp: float = state(0.4, "1", "leukemia with the antigen", MADE_UP, atol=ATOL)
    Ln: float = state(1e-09, "1", "leukemia without the antigen", MADE_UP, atol=ATOL)
    B: float = state(1.0, "1", "B cells", MADE_UP, atol=ATOL)
    I: float = state(0.02, "1", "cytokine", MADE_UP, atol=ATOL)
    T: float = state(0.999, "1", "healthy hepatocytes", MADE_UP, atol=ATOL)
    J: float = state(0.0002, "1", "infected hepatocytes", MADE_UP, atol=ATOL)
    V: float = state(1e-05, "1", "virus", MADE_UP, atol=ATOL)
    S: float = state(0.01, "1", "surface antigen", MADE_UP, atol=ATOL)
    K: float = state(0.06, "1", "killer T cells", MADE_UP, atol=ATOL)
    A: float = state(0.4, "1", "antibody", MADE_UP, atol=ATOL)
    Dg: float = state(0.042, "1", "antiviral in the gut", MADE_UP, atol=ATOL)
    Dp: float = state(1.0, "1", "antiviral in plasma", MADE_UP, atol=ATOL)
    Dt: float = state(1.0, "1", "antiviral in tissue", MADE_UP, atol=ATOL)
    C: float = state(1.0, "1", "immunosuppressant", MADE_UP, atol=ATOL)
    P: float = state(1.0, "1", "liver enzyme", MADE_UP, atol=ATOL)


class Rates(Parameters):
    rhoE: float = parameter(1.15, "1/day", "expansion of effectors", MADE_UP)
    KA: float = parameter(0.02, "1", "antigen at half of full expansion", MADE_UP)
    wB: float = parameter(0.1, "1", "weight of B cells as antigen", MADE_UP)
    Cmax: float = parameter(2.0, "1", "carrying capacity of CAR-T cells", MADE_UP)
    dE: float = parameter(0.22, "1/day", "contraction without antigen", MADE_UP)
    muM: float = parameter(0.06, "1/day", "effectors turning to memory", MADE_UP)
    muX: float = parameter(0.12, "1/day", "effectors turning exhausted", MADE_UP)
    KX: float = parameter(0.15, "1", "antigen at half of full exhaustion", MADE_UP)
    nX: float = parameter(2.0, "1", "steepness of exhaustion", MADE_UP)
    aM: float = parameter(0.35, "1/day", "memory turning to effectors", MADE_UP)
    dM: float = parameter(0.003, "1/day", "loss of memory", MADE_UP)
    dX: float = parameter(0.3, "1/day", "loss of exhausted cells", MADE_UP)
    kcs: float = parameter(0.15, "1/day", "killing by the drug C", MADE_UP)
    rL: float = parameter(0.08, "1/day", "growth of leukemia", MADE_UP)
    kL: float = parameter(2.6, "1/day", "killing of leukemia", MADE_UP)
    sE: float = parameter(0.15, "1", "effectors at half of full killing", MADE_UP)
    mL: float = parameter(1e-08, "1/day", "loss of the antigen", MADE_UP)
    rLn: float = parameter(0.055, "1/day", "growth without the antigen", MADE_UP)
    kby: float = parameter(0.35, "1/day", "bystander killing", MADE_UP)
    Kcap: float = parameter(1.0, "1", "capacity for leukemia", MADE_UP)
    sB: float = parameter(0.03, "1/day", "input of B cells", MADE_UP)
    dB: float = parameter(0.03, "1/day", "loss of B cells", MADE_UP)
    kB: float = parameter(2.8, "1/day", "killing of B cells", MADE_UP)
    cI: float = parameter(24.0, "1/day", "turnover of the cytokine", MADE_UP)
    bI: float = parameter(0.02, "1", "resting cytokine", MADE_UP)
    aI: float = parameter(3.0, "1", "cytokine by stimulated effectors", MADE_UP)
    ICC: float = parameter(0.4, "1", "drug at half of full suppression", MADE_UP)
    rT: float = parameter(0.35, "1/day", "regrowth of hepatocytes", MADE_UP)
    beta: float = parameter(0.42, "1/day", "infection", MADE_UP)
    dJ: float = parameter(0.012, "1/day", "loss of infected cells", MADE_UP)
    kK: float = parameter(0.55, "1/day", "killing of infected cells", MADE_UP)
    cV: float = parameter(4.4, "1/day", "turnover of virus", MADE_UP)
    kAV: float = parameter(9.0, "1/day", "clearance of virus by antibody", MADE_UP)
    cS: float = parameter(0.25, "1/day", "turnover of surface antigen", MADE_UP)
    kAS: float = parameter(0.35, "1/day", "complexes of antigen and antibody", MADE_UP)
    wS: float = parameter(0.01, "1", "antigen from integrated DNA", MADE_UP)
    sK: float = parameter(0.002, "1/day", "input of killers", MADE_UP)
    aK: float = parameter(0.55, "1/day", "expansion of killers", MADE_UP)
    KJ: float = parameter(0.05, "1", "infected cells at half of full expansion", MADE_UP)
    dK: float = parameter(0.045, "1/day", "loss of killers", MADE_UP)
    ICK: float = parameter(0.5, "1", "drug at half of full suppression of killers", MADE_UP)
    kKI: float = parameter(0.6, "1/day", "innate killing", MADE_UP)
    aA: float = parameter(0.06, "1/day", "antibody by recall", MADE_UP)
    KS: float = parameter(0.2, "1", "antigen at half of full recall", MADE_UP)
    dA: float = parameter(0.025, "1/day", "loss of antibody", MADE_UP)
    sA: float = parameter(0.012, "1/day", "resting production of antibody", MADE_UP)
    cP: float = parameter(1.0, "1/day", "turnover of the liver enzyme", MADE_UP)
    aP: float = parameter(250.0, "day", "enzyme by killed cells", MADE_UP)
    ka: float = parameter(50.0, "1/day", "absorption", MADE_UP)
    ke: float = parameter(2.1, "1/day", "elimination", MADE_UP)
    k12: float = parameter(7.5, "1/day", "to tissue", MADE_UP)
    k21: float = parameter(0.12, "1/day", "from tissue", MADE_UP)
    Emax: float = parameter(0.997, "1", "largest effect of the antiviral", MADE_UP)
    EC: float = parameter(0.05, "1", "antiviral at half of its effect", MADE_UP)
    nD: float = parameter(1.4, "1", "steepness of the antiviral", MADE_UP)
    kC: float = parameter(6.0, "1/day", "elimination of the drug C", MADE_UP)
    RN: float = parameter(2.1, "1/day", "input of the antiviral", MADE_UP)
    RC: float = parameter(6.0, "1/day", "input of the drug C", MADE_UP)
    rhoM: float = parameter(0.02, "1/day", "expansion of memory", MADE_UP)


def rhs(t: float, y: Pools, p: Rates) -> Pools:
    antigen = y.Lp + p.wB * y.B
    stimulated = antigen / (antigen + p.KA)
    exhausting = hill(antigen + 1e-6, p.KX, p.nX)
    kill = y.E / (p.sE + y.E)
    blocked = p.Emax * hill(y.Dp + 1e-6, p.EC, p.nD)
    infection = p.beta * y.V * y.T
    primed = y.K * y.J / (y.J + p.KJ)
    return Pools(
        E=p.rhoE * stimulated * y.E * (1 - (y.E + y.M + y.X) / p.Cmax)
        + p.aM * stimulated * y.M
        - p.dE * (1 - stimulated) * y.E
        - p.muM * y.E
        - p.muX * exhausting * y.E
        - p.kcs * y.C * y.E,
        M=p.muM * y.E
        + p.rhoM * stimulated * y.M * (1 - y.M / p.Cmax)
        - p.aM * stimulated * y.M
        - p.dM * y.M,
        X=p.muX * exhausting * y.E - p.dX * y.X,
        Lp=p.rL * y.Lp * (1 - (y.Lp + y.Ln) / p.Kcap) - p.kL * kill * y.Lp - p.mL * y.Lp,
        Ln=p.mL * y.Lp
        + p.rLn * y.Ln * (1 - (y.Lp + y.Ln) / p.Kcap)
        - p.kby * kill * stimulated * y.Ln,
        B=p.sB - p.dB * y.B - p.kB * kill * y.B,
        I=p.cI * (p.bI + p.aI * stimulated * y.E / (1 + y.C / p.ICC) - y.I),
        T=p.rT * y.T * (1 - y.T - y.J) - infection,
        J=infection - p.dJ * y.J - p.kK * y.K * y.J,
        V=p.cV * ((1 - blocked) * y.J - y.V) - p.kAV * y.A * y.V,
        S=p.cS * (y.J + p.wS - y.S) - p.kAS * y.A * y.S,
        K=p.sK + p.aK * primed / (1 + y.C / p.ICK) * (1 - y.K / 3) - p.dK * y.K,
        A=p.sA * y.B + p.aA * y.B * y.S / (y.S + p.KS) - p.dA * y.A - p.kAS * y.A * y.S,
        Dg=p.RN - p.ka * y.Dg,
        Dp=p.ka * y.Dg - p.ke * y.Dp - p.k12 * (y.Dp - y.Dt),
        Dt=p.k21 * (y.Dp - y.Dt),
        C=p.RC - p.kC * y.C,
        P=p.cP * (1 + p.aP * p.kK * y.K * y.J - y.P),
    )


MODEL = Model(
    "stiff18",
    rhs,
    Pools,
    Rates,
    time_unit="day",
    routes=(route("product", "1", "infused CAR-T cells", {"E": 1.0, "M": 0.2}),),
)

VARIED = (
    "rhoE",
    "KA",
    "dE",
    "muM",
    "muX",
    "aM",
    "dM",
    "kL",
    "sE",
    "rL",
    "rLn",
    "kB",
    "cI",
    "beta",
    "cV",
    "kK",
    "aK",
    "ke",
    "EC",
    "dA",
)
"""Parameters that differ between patients: log-normal, coefficient of variation 0.3."""
