"""Immune response to hepatitis B virus, dimensionless (Fatehi Chenar, Kyrychko and Blyuss 2018).

Uninfected cells T, infected cells I and refractory cells R; interferon alpha and beta (F1) and
gamma (F2); NK cells N, cytotoxic T cells E, antibody A, virus V. Interferon makes cells refractory
and helps killing; antibody neutralizes virus and is used up by it.

All quantities are relative to a scale of their own, so that T, N, E and A are 1 at their capacity.
Time is in days as the rates are; the file has no unit. Parameter and initial values are those of
the file that BioModels curates.

Reference
    F. Fatehi Chenar, Y. N. Kyrychko, K. B. Blyuss (2018). Mathematical model of immune response to
    hepatitis B. J. Theor. Biol. 447:98-110. doi:10.1016/j.jtbi.2018.03.025
"""

from carsim import Cited, Model, Parameters, State, parameter, state

CURATED = Cited("10.1016/j.jtbi.2018.03.025").at("BioModels BIOMD0000000848")


class Host(State):
    T: float = state(0.9, "1", "uninfected cells", CURATED, atol=1e-9)
    I: float = state(0.0, "1", "infected cells", CURATED, atol=1e-9)
    F1: float = state(0.0, "1", "interferon alpha and beta", CURATED, atol=1e-9)
    F2: float = state(0.0, "1", "interferon gamma", CURATED, atol=1e-9)
    N: float = state(0.1, "1", "natural killer cells", CURATED, atol=1e-9)
    E: float = state(0.2, "1", "cytotoxic T cells", CURATED, atol=1e-9)
    R: float = state(0.0, "1", "refractory cells", CURATED, atol=1e-9)
    V: float = state(0.4, "1", "virus", CURATED, atol=1e-9)
    A: float = state(0.1, "1", "antibody", CURATED, atol=1e-9)


class Rates(Parameters):
    d: float = parameter(0.003, "1/day", "turnover of uninfected cells", CURATED)
    beta: float = parameter(7.0, "1/day", "infection", CURATED)
    rho: float = parameter(5.0, "1/day", "return of refractory cells", CURATED)
    psi1: float = parameter(14.0, "1/day", "uninfected cells made refractory", CURATED)
    psi2: float = parameter(21.0, "1/day", "infected cells cured to refractory", CURATED)
    delta: float = parameter(0.56, "1/day", "death of infected cells", CURATED)
    mu1: float = parameter(5.0, "1/day", "killing by natural killer cells", CURATED)
    mu2: float = parameter(0.14, "1/day", "killing by cytotoxic T cells", CURATED)
    s1: float = parameter(1.5, "1", "help of F1 to natural killer cells", CURATED)
    s2: float = parameter(0.6, "1", "help of F2 to natural killer cells", CURATED)
    s1_prime: float = parameter(1.9, "1", "help of F1 to cytotoxic T cells", CURATED)
    s2_prime: float = parameter(2.0, "1", "help of F2 to cytotoxic T cells", CURATED)
    p1: float = parameter(1.0, "1/day", "F1 from infected cells", CURATED)
    d1: float = parameter(4.9, "1/day", "loss of F1", CURATED)
    p2: float = parameter(0.5, "1/day", "F2 from cytotoxic T cells", CURATED)
    p3: float = parameter(3.0, "1/day", "F2 from natural killer cells", CURATED)
    d2: float = parameter(5.16, "1/day", "loss of F2", CURATED)
    r_n: float = parameter(1.0, "1/day", "growth of natural killer cells, the unit", CURATED)
    q1: float = parameter(0.8, "1/day", "stimulation of natural killer cells by F1", CURATED)
    q2: float = parameter(0.6, "1/day", "stimulation of natural killer cells by F2", CURATED)
    r_e: float = parameter(0.5, "1/day", "growth of cytotoxic T cells", CURATED)
    alpha: float = parameter(1.0, "1/day", "their stimulation by infected cells", CURATED)
    p: float = parameter(20.0, "1/day", "virion production", CURATED)
    s3: float = parameter(1.7, "1", "inhibition of it by F1", CURATED)
    s4: float = parameter(1.0, "1", "inhibition of it by F2", CURATED)
    c: float = parameter(0.67, "1/day", "clearance of virus", CURATED)
    k: float = parameter(8.0, "1/day", "neutralization by antibody, of both", CURATED)
    d_a: float = parameter(0.332, "1/day", "turnover of antibody", CURATED)
    q: float = parameter(5.0, "1/day", "antibody stimulated by virus", CURATED)


def rhs(t: float, y: Host, p: Rates) -> Host:
    """Return the rates of change."""
    infection = p.beta * y.V * y.T
    protected = p.psi1 * y.T * (y.F1 + y.F2)
    cured = p.psi2 * y.I * y.F2
    killing = (
        p.mu1 * (1.0 + p.s1 * y.F1 + p.s2 * y.F2) * y.N
        + p.mu2 * (1.0 + p.s1_prime * y.F1 + p.s2_prime * y.F2) * y.E
    )
    return Host(
        T=p.d * (1.0 - y.T) - infection + p.rho * y.R - protected,
        I=infection - (p.delta + killing) * y.I - cured,
        F1=p.p1 * y.I - p.d1 * y.F1,
        F2=p.p2 * y.E + p.p3 * y.N - p.d2 * y.F2,
        N=(p.r_n * (1.0 - y.N) + p.q1 * y.F1 + p.q2 * y.F2) * y.N,
        E=p.r_e * y.E * (1.0 - y.E) + p.alpha * y.I * y.E,
        R=protected + cured - p.rho * y.R,
        V=p.p * y.I / (1.0 + p.s3 * y.F1 + p.s4 * y.F2) - p.c * y.V - p.k * y.V * y.A,
        A=p.d_a * (1.0 - y.A) + p.q * y.V - p.k * y.V * y.A,
    )


MODEL = Model(
    "fatehi_chenar_2018",
    rhs,
    Host,
    Rates,
    time_unit="day",
    reference="doi:10.1016/j.jtbi.2018.03.025",
    area="virus",
)
