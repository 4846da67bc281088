"""Chronic hepatitis B under nucleoside analogue and interferon (Cortes-Rios et al. 2025).

Target hepatocytes T, infected I, refractory R, debris D of killed ones; ALT A, surface antigen S
(subviral particles, counted like virions) and virus V; antigen-presenting cells P, effector T cells
E, their exhaustion Q, and innate immunity X, which makes infected cells refractory and which
surface antigen inhibits. P, E, Q and X have no unit; conv_E turns E into a count of CD8 T cells.

Infection counts only where there are infected cells: below I_threshold cells per mL, I and P are
taken for zero in what they do. That is a hard threshold, as published, and a jump of the right-hand
side: step-size control finds it within tolerance.

The nucleoside analogue leaves the share 10^log10_e_NA of the virion production, interferon
10^log10_e_IFN, and interferon multiplies killing by 10^log10_r_E_IFN. Switch them on by windows on
the parameters `NA` and `IFN`. The published protocol lets the infection run for five years first.

`population` draws patients with the published variability. The defaults are the typical patient:
treatment holds the virus at 3 % of what it was, and 99 % of the liver is refractory.

Equations and numbers were read in the tutorials of PumasAI-Labs/PumasInSilicoClinicalTrials
(hbv_04_copula_vpop_tutorial.qmd and its neighbors), which give the paper as their source; we have
not read the paper.

Reference
    C. Cortes-Rios et al. (2025). Clin. Pharmacol. Ther. 118:600. doi:10.1002/cpt.3718
"""

import math

from carsim import (
    Cited,
    Derived,
    Model,
    Parameters,
    Population,
    State,
    observable,
    parameter,
    state,
)
from carsim.math import exp, hill, log, where
from carsim.population import Distribution, LogitNormal, Normal

PAPER = Cited("10.1002/cpt.3718")
FIXED = PAPER.at("fixed parameters, in the Pumas tutorial hbv_04")
TYPICAL = PAPER.at("estimated parameters, in the Pumas tutorial hbv_04")
UNIT = Derived("unit of the number whose logarithm is estimated")
OFF = Derived("no treatment")
LN_10 = math.log(10.0)


class Host(State):
    T: float = state(1.36e7, "cell/mL", "target hepatocytes", FIXED, atol=1e-9)
    I: float = state(2.2e-3, "cell/mL", "infected hepatocytes", FIXED, atol=1e-9)
    R: float = state(0.0, "cell/mL", "refractory hepatocytes", FIXED, atol=1e-3)
    D: float = state(0.0, "cell/mL", "debris of killed hepatocytes", FIXED, atol=1e-9)
    A: float = state(17.8, "U/L", "alanine aminotransferase", FIXED, atol=1e-6)
    S: float = state(1.4e5, "virion/mL", "subviral particles", FIXED, atol=1e-3)
    V: float = state(0.33, "virion/mL", "virus", FIXED, atol=1e-9)
    P: float = state(0.0, "1", "antigen-presenting cells", FIXED, atol=1e-12)
    E: float = state(0.0, "1", "effector T cells", FIXED, atol=1e-12)
    Q: float = state(0.0, "1", "exhaustion", FIXED, atol=1e-12)
    X: float = state(0.0, "1", "innate immunity", FIXED, atol=1e-12)


class Rates(Parameters):
    # estimated, with variability between patients
    log10_p_S: float = parameter(
        7.643,
        "1",
        "log10 of subviral particles from a cell, 1/day",
        TYPICAL,
        plausible=(6.2, 8.9),
        lower=-20.0,
        upper=20.0,
    )
    log10_beta: float = parameter(
        -4.358,
        "1",
        "log10 of the infection, mL/virion/day",
        TYPICAL,
        plausible=(-10.0, 0.0),
        lower=-20.0,
        upper=20.0,
    )
    log10_m: float = parameter(
        1.618,
        "1",
        "log10 of killing by a unit of E, 1/day",
        TYPICAL,
        plausible=(-1.5, 3.8),
        lower=-20.0,
        upper=20.0,
    )
    log10_k_P: float = parameter(
        -3.968,
        "1",
        "log10 of the production of P, 1/day",
        TYPICAL,
        plausible=(-6.5, -1.4),
        lower=-100.0,
        upper=100.0,
    )
    log10_k_A: float = parameter(
        -4.869,
        "1",
        "log10 of ALT from debris, U/L per cell/mL and day",
        TYPICAL,
        plausible=(-7.1, -2.6),
        lower=-100.0,
        upper=100.0,
    )
    log10_e_NA: float = parameter(
        -1.485,
        "1",
        "log10 of the production that the analogue leaves",
        TYPICAL,
        plausible=(-5.0, 0.0),
        lower=-20.0,
        upper=0.0,
    )
    log10_e_IFN: float = parameter(
        -1.466,
        "1",
        "log10 of the production that interferon leaves",
        TYPICAL,
        plausible=(-5.0, 0.0),
        lower=-20.0,
        upper=0.0,
    )
    log10_r_E_IFN: float = parameter(
        0.313,
        "1",
        "log10 of interferon's factor on killing",
        TYPICAL,
        plausible=(0.0, 4.0),
        upper=20.0,
    )
    log10_conv_E: float = parameter(
        2.745,
        "1",
        "log10 of CD8 T cells per mL in a unit of E",
        TYPICAL,
        plausible=(0.2, 5.2),
        lower=-100.0,
        upper=100.0,
    )
    # treatment
    NA: float = parameter(0.0, "1", "nucleoside analogue, 0 or 1", OFF, upper=1.0)
    IFN: float = parameter(0.0, "1", "interferon, 0 or 1", OFF, upper=1.0)
    # fixed
    log10_V_0: float = parameter(
        -0.481, "1", "log10 of the virus at the start, virions/mL", FIXED, lower=-20.0, upper=20.0
    )
    log10_A_0: float = parameter(
        1.25, "1", "log10 of ALT without killing, U/L", FIXED, lower=-20.0, upper=20.0
    )
    T_max: float = parameter(1.36e7, "cell/mL", "capacity of the liver", FIXED, lower=1.0)
    r_T: float = parameter(1.0, "1/day", "proliferation of hepatocytes", FIXED)
    d_TI: float = parameter(0.0039, "1/day", "death of hepatocytes", FIXED)
    n: float = parameter(100.0, "1", "killing of infected cells over the others", FIXED, lower=1.0)
    rho: float = parameter(1e-3, "1/day", "infected to refractory, by unit of X", FIXED)
    rho_o_rho_r: float = parameter(1e-5, "1/day", "refractory back to target", FIXED)
    p_V: float = parameter(100.0, "virion/cell/day", "virion production", FIXED, lower=1e-9)
    d_V: float = parameter(0.67, "1/day", "clearance of virus and particles", FIXED, lower=1e-9)
    d_D: float = parameter(1.66, "1/day", "clearance of debris", FIXED)
    d_A: float = parameter(0.47, "1/day", "clearance of ALT", FIXED)
    d_P: float = parameter(0.239, "1/day", "loss of antigen-presenting cells", FIXED)
    r_E: float = parameter(0.1, "1/day", "proliferation of effectors, by unit of P", FIXED)
    d_E: float = parameter(0.01, "1/day", "loss and priming of effectors", FIXED)
    d_E_Q: float = parameter(0.3, "1/day", "largest loss by exhaustion", FIXED)
    d_Q: float = parameter(0.00385, "1/day", "turnover of exhaustion", FIXED)
    phi_Q: float = parameter(0.8, "1", "exhaustion for half of that loss", FIXED, lower=1e-9)
    r_X: float = parameter(1.0, "1/day", "activation of innate immunity", FIXED)
    d_X: float = parameter(0.2, "1/day", "loss of innate immunity", FIXED)
    phi_E: float = parameter(
        100.0, "cell/mL", "infected cells for half the activation", FIXED, lower=1e-9
    )
    S_max: float = parameter(1.0, "1", "largest inhibition by surface antigen", FIXED, upper=1.0)
    phi_S: float = parameter(
        0.1473, "ug/mL", "surface antigen for half the inhibition", FIXED, lower=1e-9
    )
    n_S: float = parameter(0.486, "1", "its steepness", FIXED, lower=1e-3)
    I_threshold: float = parameter(
        1e-4, "cell/mL", "infected cells below which there is no infection", FIXED
    )
    particle: float = parameter(
        3.825971e-12,
        "ug/virion",
        "surface antigen of a particle",
        Derived("96 proteins of 24000 g/mol over 6.022e23"),
    )
    IU_mass: float = parameter(
        0.98e-3, "ug/IU", "surface antigen in an international unit", FIXED, lower=1e-9
    )
    # units of the numbers whose logarithms are given
    p_S_unit: float = parameter(1.0, "virion/cell/day", "unit of p_S", UNIT)
    beta_unit: float = parameter(1.0, "mL/virion/day", "unit of beta", UNIT)
    rate_unit: float = parameter(1.0, "1/day", "unit of m and k_P", UNIT)
    k_A_unit: float = parameter(1.0, "U*mL/L/cell/day", "unit of k_A", UNIT)
    conv_E_unit: float = parameter(1.0, "cell/mL", "unit of conv_E", UNIT)
    V_unit: float = parameter(1.0, "virion/mL", "unit of the virus", UNIT, lower=1e-9)
    A_unit: float = parameter(1.0, "U/L", "unit of ALT", UNIT)


def ten_to(x: float) -> float:
    """Return 10 to the power x."""
    return exp(LN_10 * x)


def surface_antigen(y: Host, p: Rates) -> float:
    """Return the surface antigen of particles and virions, ug/mL."""
    return p.particle * (y.V + y.S)


def initial(p: Rates) -> Host:
    """Return the state at infection: virus, the cells that make it, and an intact liver."""
    V = ten_to(p.log10_V_0) * p.V_unit
    I = p.d_V * V / p.p_V
    return Host(
        T=p.T_max - I,
        I=I,
        R=0.0,
        D=0.0,
        A=ten_to(p.log10_A_0) * p.A_unit,
        S=ten_to(p.log10_p_S) * p.p_S_unit * I / p.d_V,
        V=V,
        P=0.0,
        E=0.0,
        Q=0.0,
        X=0.0,
    )


def rhs(t: float, y: Host, p: Rates) -> Host:
    """Return the rates of change."""
    I = where(p.I_threshold > y.I, 0.0, y.I)
    P = where(p.I_threshold > y.I, 0.0, y.P)
    infection = ten_to(p.log10_beta) * p.beta_unit * y.V * y.T
    kill = ten_to(p.log10_m + p.IFN * p.log10_r_E_IFN) * p.rate_unit * y.E
    left = ten_to(p.NA * p.log10_e_NA + p.IFN * p.log10_e_IFN)
    active = hill(I, p.phi_E)
    inhibited = p.S_max * hill(surface_antigen(y, p), p.phi_S, p.n_S)
    room = 1.0 - (y.T + I + y.R) / p.T_max
    A_0 = ten_to(p.log10_A_0) * p.A_unit
    return Host(
        T=-infection + p.r_T * y.T * room - p.d_TI * y.T + p.rho_o_rho_r * y.R - kill / p.n * y.T,
        # Infected cells crowd themselves also below the threshold.
        I=infection
        + p.r_T * y.I * (1.0 - (y.T + y.I + y.R) / p.T_max)
        - (p.rho * y.X + p.d_TI + kill) * y.I,
        R=p.rho * y.X * I
        - p.rho_o_rho_r * y.R
        + p.r_T * y.R * room
        - p.d_TI * y.R
        - kill / p.n * y.R,
        D=kill * I + kill / p.n * (y.T + y.R) - p.d_D * y.D,
        A=p.d_A * (A_0 - y.A) + ten_to(p.log10_k_A) * p.k_A_unit * y.D,
        S=ten_to(p.log10_p_S) * p.p_S_unit * I - p.d_V * y.S,
        V=p.p_V * left * I - p.d_V * y.V,
        P=ten_to(p.log10_k_P) * p.rate_unit * active - p.d_P * y.P,
        E=(p.d_E + p.r_E * y.E) * P - p.d_E_Q * y.E * hill(y.Q, p.phi_Q, 4.0) - p.d_E * y.E,
        Q=p.d_Q * (P - y.Q),
        X=p.r_X * (1.0 - y.X) * active * (1.0 - inhibited) - p.d_X * y.X,
    )


@observable("1", "log10 of the virus in virions per mL")
def log10_virus(t: float, y: Host, p: Rates) -> float:
    return log(y.V / p.V_unit) / LN_10


@observable("IU/mL", "surface antigen")
def hbsag(t: float, y: Host, p: Rates) -> float:
    return surface_antigen(y, p) / p.IU_mass


@observable("cell/mL", "CD8 T cells specific for the virus")
def cd8(t: float, y: Host, p: Rates) -> float:
    return ten_to(p.log10_conv_E) * p.conv_E_unit * y.E


@observable("1", "refractory share of the hepatocytes")
def refractory_share(t: float, y: Host, p: Rates) -> float:
    return y.R / (y.T + y.I + y.R)


# Median, standard deviation of the transformed value, and bounds of the logit, of log10 values.
VARIABILITY: dict[str, Distribution] = {
    "log10_p_S": LogitNormal(7.643, 0.632, lower=2.0, upper=12.0),
    "log10_beta": LogitNormal(-4.358, 2.489, lower=-10.0, upper=0.0),
    "log10_m": LogitNormal(1.618, 0.827, lower=-3.0, upper=5.0),
    "log10_k_P": Normal(-3.968, 1.292),
    "log10_k_A": Normal(-4.869, 1.156),
    "log10_e_NA": LogitNormal(-1.485, 1.583, lower=-5.0, upper=0.0),
    "log10_e_IFN": LogitNormal(-1.466, 1.626, lower=-5.0, upper=0.0),
    "log10_r_E_IFN": LogitNormal(0.313, 2.739, lower=0.0, upper=4.0),
    "log10_conv_E": Normal(2.745, 1.248),
}

# Spearman's rank correlations, each with the parameters that follow it above; conv_E has none.
SPEARMAN: dict[str, tuple[float, ...]] = {
    "log10_p_S": (0.43, 0.46, 0.51, -0.70, 0.58, -0.14, -0.38),
    "log10_beta": (0.30, -0.01, -0.50, 0.38, -0.52, -0.21),
    "log10_m": (-0.16, -0.50, 0.29, 0.07, -0.33),
    "log10_k_P": (-0.45, 0.25, 0.14, -0.10),
    "log10_k_A": (-0.41, 0.01, 0.05),
    "log10_e_NA": (-0.61, -0.36),
    "log10_e_IFN": (0.26,),
}


def population(size: int, seed: int = 0) -> Population:
    """Patients who differ as the paper's do.

    The published matrix is taken for rank correlations (Spearman). A Gaussian copula is given by
    the correlation of the normal scores, which is 2 sin(pi rho / 6) for a rank correlation rho.
    The source calls the matrix Spearman's in one version (commit 664cfa85) and the Pearson
    correlation of the random effects in another (108e6209), in which case no conversion would be
    due. The two readings differ by less than 0.02.

    Parameters
    ----------
    size : int
        Number of patients.
    seed : int
        Root of all random numbers.

    Returns
    -------
    Population
        The nine estimated parameters; what they are transformed by is in `VARIABILITY`.
    """
    names = list(VARIABILITY)
    correlations = {
        (first, second): 2.0 * math.sin(math.pi * rank / 6.0)
        for first, ranks in SPEARMAN.items()
        for second, rank in zip(names[names.index(first) + 1 :], ranks, strict=False)
    }
    return Population(size, seed, VARIABILITY, correlations)


MODEL = Model(
    "cortes_rios_2025",
    rhs,
    Host,
    Rates,
    time_unit="day",
    observables=(log10_virus, hbsag, cd8, refractory_share),
    initial=initial,
    reference="doi:10.1002/cpt.3718",
    area="virus",
)
