"""Hepatitis B virus held by T cells and antibody (our own set-point model, docs/flagship.md).

Hepatocytes are susceptible T, productively infected I or silenced C: a cure by cytokines leaves,
in a share theta of the cells, cccDNA that keeps still while effectors E are near and wakes when
they are gone. V is virus, S surface antigen (partly from integrated DNA), H HBeAg, A ALT and Ab
anti-HBs, which blocks infection. E is in units of its own; at E near 1 the virus just holds.

Immune competence drives E, lymphodepletion removes it, steroid removes it and helps the virus,
IL-6 suppresses the virus, plasma cells make the antibody. Which of the patient's phases (tolerant,
hepatitis, carrier, resolved, uninfected) is simulated follows from the targets dna_0, C_0 and
their companions; hbv_steady_state.py computes the rest.

Concentrations are per mL of extracellular fluid. No pool goes extinct by rule: below one cell in
15 L the model follows an expectation that the silenced cells keep feeding.
"""

from carsim import Assumed, Derived, Parameters, State, computed, parameter, state
from carsim_models.cart_hbv.sources import CORTES_RIOS, DAHARI

CODE = CORTES_RIOS.at("fixed parameters")
FIT = Derived("best point, models/calibration/reactivation.py")
TARGET = Assumed("typical inactive carrier; the variants of hbv_phases.py set it for each phase")
CHOSEN = Assumed("no source; chosen so that all phases have a steady state")
INVERSE = Derived("steady state of the phase, see hbv_steady_state.py")


class HBV(State):
    target: float = state(1.3546e7, "cell/mL", "susceptible hepatocytes", atol=1e-2)
    infected: float = state(5.63, "cell/mL", "infected hepatocytes", atol=1e-10)
    silenced: float = state(4.34, "cell/mL", "hepatocytes with silent cccDNA", atol=1e-7)
    virus: float = state(1680.0, "copy/mL", "HBV DNA in serum", atol=1e-7)
    hbsag: float = state(500.0, "IU/mL", "surface antigen", atol=1e-9)
    hbeag: float = state(0.0, "IU/mL", "e antigen", atol=1e-9)
    effector: float = state(0.974, "1", "HBV-specific effector T cells", atol=1e-7)
    alt: float = state(25.0, "U/L", "alanine aminotransferase", atol=1e-4)
    anti_hbs: float = state(0.0, "mIU/mL", "antibody to surface antigen", atol=1e-6)


class HBVRates(Parameters):
    # what the patient looks like before therapy
    dna_0: float = parameter(
        300.0,
        "IU/mL",
        "HBV DNA at the start; 0: resolved or uninfected",
        TARGET,
        plausible=(20.0, 2000.0),
    )
    f_I: float = parameter(
        0.0, "1", "infected share of the liver; 0: follows from p_0 instead", TARGET, upper=0.99
    )
    alt_0: float = parameter(25.0, "U/L", "ALT at the start", TARGET)
    hbsag_0: float = parameter(
        500.0, "IU/mL", "surface antigen at the start", TARGET, plausible=(50.0, 3000.0)
    )
    f_int: float = parameter(
        0.999974, "1", "share of surface antigen from integrated DNA", TARGET, upper=1.0
    )
    f_mem: float = parameter(
        0.3, "1", "share of the effectors that needs no antigen", TARGET, upper=1.0
    )
    h: float = parameter(0.0, "IU/cell/day", "HBeAg from an infected cell", TARGET)
    E_0: float = parameter(
        2.0,
        "1",
        "effectors at the start, when resolved or uninfected",
        TARGET,
        plausible=(1.1, 3.0),
    )
    C_0: float = parameter(
        0.0,
        "cell/mL",
        "silenced hepatocytes at the start, when resolved",
        TARGET,
        plausible=(0.5, 30.0),
    )
    anti_hbs_0: float = parameter(
        0.0, "mIU/mL", "anti-HBs at the start", TARGET, plausible=(0.0, 300.0)
    )
    # liver and virus
    T_max: float = parameter(1.36e7, "cell/mL", "capacity of the liver", CODE, lower=1.0)
    r: float = parameter(1.0, "1/day", "proliferation, susceptible", CODE, plausible=(0.3, 3.0))
    r_I: float = parameter(
        0.2, "1/day", "proliferation, infected", Assumed("Dahari 2009 has 3.0/8.5 = 0.35")
    )
    d: float = parameter(0.004, "1/day", "death of hepatocytes", DAHARI.at("Figure 2 caption"))
    c: float = parameter(0.67, "1/day", "clearance of virus", CODE, plausible=(0.5, 4.0))
    p_0: float = parameter(
        200.0,
        "copy/cell/day",
        "virion production when f_I is 0",
        Derived("lower end of the 200 to 1000 that Whalley 2001 gives as the maximum"),
        plausible=(100.0, 400.0),
        lower=1e-6,
    )
    beta_p: float = parameter(
        1.22e-8,
        "mL/cell/day^2",
        "infection times production",
        Derived("spread without control doubles in 3.7 d, the mean of Whalley 2001"),
        plausible=(0.75e-8, 2.0e-8),
        lower=1e-15,
    )
    theta: float = parameter(
        1.0e-3, "1", "cured cells that stay silenced", CHOSEN, plausible=(1e-4, 1e-2), upper=1.0
    )
    a_0: float = parameter(
        1.0e-4, "1/day", "waking without effectors", CHOSEN, plausible=(1e-5, 1e-3)
    )
    K_a: float = parameter(0.5, "1", "effectors that halve the waking", CHOSEN, lower=1e-6)
    lambda_C: float = parameter(
        2.0e-4,
        "1/day",
        "loss of silenced cells",
        Assumed("half-life 9.5 years"),
        plausible=(5e-5, 5e-3),
    )
    s_0: float = parameter(
        2.3e-4, "IU/cell/day", "surface antigen from an infected cell when hbsag_0 is 0", CHOSEN
    )
    c_S: float = parameter(
        0.1,
        "1/day",
        "clearance of surface antigen",
        Assumed("half-life 7 d, unverified"),
        lower=1e-6,
    )
    c_H: float = parameter(0.3, "1/day", "clearance of HBeAg", Assumed("days"), lower=1e-6)
    # HBV-specific T cells, ALT
    mu: float = parameter(
        0.25,
        "1/day",
        "removal of infected cells per unit of effector",
        Derived("spread just stops at E = 0.97"),
        lower=1e-6,
    )
    k_share: float = parameter(
        0.762,
        "1",
        "share of it that kills, when ALT is normal",
        FIT,
        upper=1.0,
    )
    alpha: float = parameter(
        0.0619, "1/day", "largest growth of effectors", FIT, plausible=(0.03, 0.3), lower=1e-9
    )
    E_m: float = parameter(5.0, "1", "capacity of effectors", CHOSEN, lower=1e-6)
    K_E0: float = parameter(
        1000.0, "cell/mL", "infected cells for half the growth, when dna_0 is 0", CHOSEN, lower=1e-9
    )
    d_E: float = parameter(
        0.02, "1/day", "contraction of effectors", Assumed("Cortes-Rios 2025 has 0.01"), lower=1e-9
    )
    kappa: float = parameter(
        0.361,
        "1",
        "log-loss of effectors in a standard course of lymphodepletion",
        FIT,
        plausible=(0.1, 2.5),
    )
    d_A: float = parameter(
        0.35, "1/day", "clearance of ALT", Assumed("half-life 47 h, unverified"), lower=1e-6
    )
    A_0: float = parameter(25.0, "U/L", "ALT without killing", Assumed("normal"))
    k_A: float = parameter(
        2.8e-4,
        "U*mL/L/cell",
        "ALT from a killed cell",
        Derived("killing 0.2 per day of a fully infected liver gives about 2000 U/L"),
        lower=1e-15,
    )
    # antibody
    K_Ab: float = parameter(
        99.4, "mIU/mL", "anti-HBs that halves infection", FIT, plausible=(20.0, 500.0), lower=1e-9
    )
    d_Ab: float = parameter(
        0.033, "1/day", "clearance of IgG", Derived("ln 2 over the half-life of 21 d, rounded")
    )
    f_LL: float = parameter(
        0.9,
        "1",
        "share of anti-HBs from long-lived plasma cells",
        Assumed("measles IgG unchanged within a year of CD19 CAR-T cells (Hill 2019)"),
        plausible=(0.5, 1.0),
        upper=1.0,
    )
    ivig: float = parameter(
        10.0,
        "mIU*L/mL/g",
        "anti-HBs that comes with 1 g/L of infused IgG",
        Assumed("10 IU per g of immunoglobulin; lots vary widely"),
        plausible=(0.5, 50.0),
    )
    # steroid and IL-6
    s_GC: float = parameter(
        0.797,
        "1",
        "largest rise of viral expression by steroid",
        FIT,
        plausible=(0.3, 2.0),
    )
    k_GC: float = parameter(
        0.0925,
        "1/day",
        "largest loss of effectors by steroid",
        FIT,
        plausible=(0.02, 0.2),
    )
    IC_6: float = parameter(
        5000.0,
        "pg/mL",
        "signaling IL-6 that halves viral expression",
        Assumed("IL-6 lowers HBV capsids in culture; the concentration is a guess"),
        plausible=(2000.0, 20000.0),
        lower=1e-6,
    )
    # units of measurement
    copies: float = parameter(
        5.6, "copy/IU", "genome copies in an IU", Assumed("5.0 to 5.8 by assay"), lower=1e-6
    )
    V_floor: float = parameter(
        6.7e-5,
        "copy/mL",
        "least virus that is shown as a logarithm",
        Derived("one virion in 15 L"),
        lower=1e-12,
    )
    IU_mL: float = parameter(
        1.0, "IU/mL", "unit of the logarithm", Derived("log10 is of IU per mL"), lower=1e-12
    )
    # from the steady state before therapy
    p: float = computed("copy/cell/day", "virion production", INVERSE)
    beta: float = computed("mL/copy/day", "infection", INVERSE)
    k: float = computed("1/day", "killing per unit of effector", INVERSE)
    rho: float = computed("1/day", "cure per unit of effector", INVERSE)
    s_E: float = computed("1/day", "source of effectors", INVERSE)
    K_E: float = computed("cell/mL", "infected cells for half the growth of effectors", INVERSE)
    s_I: float = computed("IU/cell/day", "surface antigen from an infected cell", INVERSE)
    s_int: float = computed("IU/mL/day", "surface antigen from integrated DNA", INVERSE)


def waking(p: HBVRates, effector: float) -> float:
    """Return the rate (1/day) at which silenced cells wake, at normal viral expression."""
    return p.a_0 * p.K_a * p.K_a / (p.K_a * p.K_a + effector * effector)


def infectivity(p: HBVRates, anti_hbs: float) -> float:
    """Return the infection rate constant (mL/copy/day) that `anti_hbs` (mIU/mL) leaves."""
    return p.beta * p.K_Ab / (p.K_Ab + anti_hbs)


def il6_suppression(p: HBVRates, il6: float, normal: float, blockade: float) -> float:
    """Return the factor on viral expression by IL-6.

    Parameters
    ----------
    p : HBVRates
        Parameters.
    il6, normal : float
        IL-6 now and normally, pg/mL; the factor is 1 at normal.
    blockade : float
        Factor by which tocilizumab lowers the potency of IL-6, 1 without.
    """
    return (p.IC_6 + normal) * blockade / (p.IC_6 * blockade + il6)


def derivatives(
    y: HBV,
    p: HBVRates,
    *,
    competence: float,
    depletion: float,
    steroid: float,
    il6_factor: float,
    production: float,
    short_lived: float,
    long_lived: float,
) -> HBV:
    """Return the rates of change.

    Parameters
    ----------
    y, p : HBV, HBVRates
        States and parameters.
    competence : float
        What T cells can do, 1 before therapy.
    depletion : float
        Lymphodepletion in standard courses per day.
    steroid : float
        Effect of dexamethasone, 0 to 1.
    il6_factor : float
        Factor on viral expression by IL-6, 1 normally.
    production : float
        Share of virion production that the antiviral leaves.
    short_lived, long_lived : float
        Plasma cells over normal.
    """
    expression = (1.0 + p.s_GC * steroid) * il6_factor
    room = 1.0 - (y.target + y.infected + y.silenced) / p.T_max
    infected = infectivity(p, y.anti_hbs) * y.virus * y.target
    woken = waking(p, y.effector) * expression * y.silenced
    met = y.effector * y.infected
    cured = p.rho * met
    silenced = p.theta * cured
    expressing = expression * y.infected
    growth = p.alpha * y.effector * (1.0 - y.effector / p.E_m) * y.infected / (p.K_E + y.infected)
    plasma = p.f_LL * long_lived + (1.0 - p.f_LL) * short_lived
    return HBV(
        target=(p.r * room - p.d) * y.target - infected + cured - silenced,
        infected=infected + woken + (p.r_I * room - p.d) * y.infected - p.k * met - cured,
        silenced=silenced - woken - p.lambda_C * y.silenced,
        virus=p.p * production * expressing - p.c * y.virus,
        hbsag=p.s_I * expressing + p.s_int - p.c_S * y.hbsag,
        hbeag=p.h * expressing - p.c_H * y.hbeag,
        effector=competence * (p.s_E + growth)
        - (p.d_E + p.kappa * depletion + p.k_GC * steroid) * y.effector,
        alt=p.d_A * (p.A_0 - y.alt) + p.k_A * p.k * met,
        anti_hbs=p.d_Ab * (p.anti_hbs_0 * plasma - y.anti_hbs),
    )
