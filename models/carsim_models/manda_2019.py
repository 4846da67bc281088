"""Acute hepatitis B with immune cells and cytokines (Manda and Chirove 2019), as in BioModels.

Hepatocytes H, infected ones I_H, virus H_B; cytotoxic T cells T_c, helper cells T_1 and T_2;
interferon gamma and interleukins 2, 4, 10 and 12. Helper cells are activated by virus and
cytokines, T_c by IL-2; interferon gamma helps T_c kill, IL-10 hinders it.

This is the file MODEL1911280002 as it stands, which BioModels has not curated. Two of its laws look
mistyped, and we keep them:

- IL-12 production is K_12 T_1/(T_1 c_1) with a product where the other cytokines have the sum
  T_1 + c_1; it is thus constant, and its unit does not fit (`T_unit` mends that);
- the activation of T_1 has I_10 in the place of interferon gamma: I_10/(I_10 + c_gamma).

The paper may differ. The file gives no units; ours are chosen so that the equations balance.

Reference
    E. C. Manda, F. Chirove (2019). Acute hepatitis B virus infection model within the host
    incorporating immune cells and cytokine responses. Theory Biosci. 138.
    doi:10.1007/s12064-019-00305-2
"""

from carsim import Cited, Derived, Model, Parameters, State, observable, parameter, state
from carsim.math import log

FILE = Cited("10.1007/s12064-019-00305-2").at("BioModels MODEL1911280002")


class Host(State):
    H: float = state(9.6e6, "cell/mL", "uninfected hepatocytes", FILE, atol=1e-3)
    I_H: float = state(0.0, "cell/mL", "infected hepatocytes", FILE, atol=1e-9)
    T_c: float = state(1000.0, "cell/mL", "cytotoxic T cells", FILE, atol=1e-6)
    T_1: float = state(1000.0, "cell/mL", "T helper cells 1", FILE, atol=1e-9)
    T_2: float = state(1000.0, "cell/mL", "T helper cells 2", FILE, atol=1e-9)
    I_gamma: float = state(2.638, "pg/mL", "interferon gamma", FILE, atol=1e-9)
    I_2: float = state(0.5, "pg/mL", "interleukin 2", FILE, atol=1e-9)
    I_12: float = state(0.001, "pg/mL", "interleukin 12", FILE, atol=1e-9)
    I_4: float = state(0.0006, "pg/mL", "interleukin 4", FILE, atol=1e-9)
    I_10: float = state(0.012, "pg/mL", "interleukin 10", FILE, atol=1e-9)
    H_B: float = state(0.33, "virion/mL", "virus", FILE, atol=1e-9)


class Rates(Parameters):
    r: float = parameter(0.00145, "1/day", "growth of hepatocytes", FILE)
    K: float = parameter(9.6e6, "cell/mL", "their capacity", FILE, lower=1.0)
    beta: float = parameter(9.9e-10, "mL/virion/day", "infection", FILE)
    mu: float = parameter(0.4, "1/day", "other loss of infected hepatocytes", FILE)
    delta: float = parameter(0.3043, "1/day", "death of infected hepatocytes", FILE)
    alpha_c: float = parameter(0.001, "mL/cell/day", "killing by cytotoxic T cells", FILE)
    N: float = parameter(500.0, "virion/cell", "virions from a dying hepatocyte", FILE)
    mu_v: float = parameter(0.83, "1/day", "clearance of virus", FILE)
    gamma_c: float = parameter(0.1, "1/day", "activation of cytotoxic T cells", FILE)
    T_8_0: float = parameter(1000.0, "cell/mL", "naive CD8 T cells", FILE)
    T_4_0: float = parameter(1000.0, "cell/mL", "naive CD4 T cells", FILE)
    alpha_1: float = parameter(0.4, "mL/virion/day", "activation of T_1", FILE)
    alpha_2: float = parameter(0.6, "mL/virion/day", "activation of T_2", FILE)
    mu_c: float = parameter(0.5, "1/day", "death of cytotoxic T cells", FILE)
    mu_1: float = parameter(0.5, "1/day", "death of T_1", FILE)
    mu_2: float = parameter(0.5, "1/day", "death of T_2", FILE)
    c: float = parameter(10.0, "pg/mL", "IL-10 that halves activation and killing", FILE)
    c_gamma: float = parameter(6.0, "pg/mL", "interferon gamma for half the effect", FILE)
    c_4: float = parameter(5.0, "pg/mL", "IL-4 for half the effect", FILE)
    c_I2: float = parameter(100.0, "pg/mL", "IL-2 for half the effect", FILE)
    c_12: float = parameter(150.0, "pg/mL", "IL-12 for half the effect", FILE)
    c_c: float = parameter(150.0, "cell/mL", "T_c for half their production", FILE)
    c_1: float = parameter(200.0, "cell/mL", "T_1 for half their production", FILE, lower=1e-9)
    c_2: float = parameter(300.0, "cell/mL", "T_2 for half their production", FILE)
    K_gamma1: float = parameter(5.0, "pg/mL/day", "interferon gamma from T_1", FILE)
    K_gammac: float = parameter(4.0, "pg/mL/day", "interferon gamma from T_c", FILE)
    K_2: float = parameter(40.0, "pg/mL/day", "IL-2 from T_1", FILE)
    K_4: float = parameter(20.0, "pg/mL/day", "IL-4 from T_2", FILE)
    K_10: float = parameter(40.0, "pg/mL/day", "IL-10 from T_2", FILE)
    K_12: float = parameter(50.0, "pg/mL/day", "IL-12 from T_1", FILE)
    mu_gamma: float = parameter(2.16, "1/day", "loss of interferon gamma", FILE)
    mu_I2: float = parameter(10.0, "1/day", "loss of IL-2", FILE)
    mu_4: float = parameter(10.0, "1/day", "loss of IL-4", FILE)
    mu_10: float = parameter(5.0, "1/day", "loss of IL-10", FILE)
    mu_12: float = parameter(1.188, "1/day", "loss of IL-12", FILE)
    T_unit: float = parameter(
        1.0, "cell/mL", "unit that the mistyped law lacks", Derived("1: the file's numbers")
    )
    V_unit: float = parameter(
        1.0, "virion/mL", "unit of the logarithm", Derived("log10 is of virions per mL")
    )


def rhs(t: float, y: Host, p: Rates) -> Host:
    """Return the rates of change."""
    infection = p.beta * y.H * y.H_B
    damped = p.c / (p.c + y.I_10)
    killing = p.alpha_c * y.T_c * y.I_gamma / (y.I_gamma + p.c_gamma) * damped
    # The file has I_10 where interferon gamma would be expected.
    activated_1 = p.alpha_1 * p.T_4_0 * y.H_B * y.I_12 / (y.I_12 + p.c_12)
    activated_1 = activated_1 * y.I_10 / (y.I_10 + p.c_gamma) * damped
    activated_2 = p.alpha_2 * p.T_4_0 * y.H_B * y.I_4 / (y.I_4 + p.c_4)
    share_1 = y.T_1 / (y.T_1 + p.c_1)
    share_2 = y.T_2 / (y.T_2 + p.c_2)
    return Host(
        H=p.r * y.H * (1.0 - y.H / p.K) - infection,
        I_H=infection - (p.mu + p.delta + killing) * y.I_H,
        T_c=p.gamma_c * p.T_8_0 * y.I_2 / (y.I_2 + p.c_I2) - p.mu_c * y.T_c,
        T_1=activated_1 - p.mu_1 * y.T_1,
        T_2=activated_2 - p.mu_2 * y.T_2,
        I_gamma=p.K_gamma1 * share_1
        + p.K_gammac * y.T_c / (y.T_c + p.c_c)
        - p.mu_gamma * y.I_gamma,
        I_2=p.K_2 * share_1 - p.mu_I2 * y.I_2,
        # The file's K_12 T_1/(T_1 c_1): T_1 cancels.
        I_12=p.K_12 * p.T_unit / p.c_1 - p.mu_12 * y.I_12,
        I_4=p.K_4 * share_2 - p.mu_4 * y.I_4,
        I_10=p.K_10 * share_2 - p.mu_10 * y.I_10,
        H_B=p.delta * p.N * y.I_H - p.mu_v * y.H_B,
    )


@observable("1", "log10 of the virus in virions per mL")
def log10_virus(t: float, y: Host, p: Rates) -> float:
    return log(y.H_B / p.V_unit) / log(10.0)


MODEL = Model(
    "manda_2019",
    rhs,
    Host,
    Rates,
    time_unit="day",
    observables=(log10_virus,),
    reference="doi:10.1007/s12064-019-00305-2",
    area="virus",
)
