"""The basic model of HBV in a patient under a reverse-transcriptase inhibitor (Nowak et al. 1996).

Virus V infects target cells T; infected cells I make virus, of which therapy blocks a share eps.
The simulation starts from the untreated steady state. When therapy blocks nearly all production,
V falls with the clearance c of free virus first, then with the loss delta of infected cells.

Published are the half-lives and the total release of virus (we have read the abstract only): c,
delta and p follow from them. Turnover of target cells and infection are our assumptions; the
decline under full inhibition does not depend on them. The variants `short_lived` and `long_lived`
are the two ends of the range of half-lives that the patients had.

`generic` is the same three equations with the numbers (no unit, of no particular virus) of a file
for another paper: M. A. Nowak, C. R. M. Bangham (1996), Science 272:74-79. That file starts with
T = 100, I = 0 and V = 5, which are then to be given as initial values.

Reference
    M. A. Nowak et al. (1996). Viral dynamics in hepatitis B virus infection.
    Proc. Natl. Acad. Sci. USA 93:4398-4402. doi:10.1073/pnas.93.9.4398
"""

from carsim import (
    Assumed,
    Cited,
    Derived,
    Model,
    Parameters,
    State,
    observable,
    parameter,
    state,
    variant,
)
from carsim.math import log, minimum

PAPER = Cited("10.1073/pnas.93.9.4398")
ABSTRACT = PAPER.at("abstract")
GENERIC = Cited("10.1126/science.272.5258.74").at("BioModels MODEL1006230050")


class Blood(State):
    T: float = state(6.8e5, "cell/mL", "target cells", atol=1e-3)
    I: float = state(2.36e6, "cell/mL", "infected cells", atol=1e-6)
    V: float = state(9.6e6, "virion/mL", "free virus", atol=1e-9)


class Rates(Parameters):
    s: float = parameter(
        5.44e4,
        "cell/mL/day",
        "production of target cells",
        Assumed("d times 1.36e7 cells/mL, 2e11 hepatocytes in the volume"),
    )
    d: float = parameter(
        0.004, "1/day", "death of target cells", Assumed("as in Dahari 2009"), lower=1e-9
    )
    b: float = parameter(
        7.9e-9, "mL/virion/day", "infection", Assumed("R_0 = 20"), plausible=(1e-9, 1e-7)
    )
    delta: float = parameter(
        0.02192,
        "1/day",
        "death of infected cells",
        Derived("ln 2 over 31.6 d, the geometric mean of the half-lives 10 and 100 d (abstract)"),
        plausible=(0.007, 0.07),
        lower=1e-9,
    )
    p: float = parameter(
        2.828,
        "virion/cell/day",
        "virion production",
        Derived("1e11 virions a day (abstract) from the infected cells of the steady state"),
        lower=1e-9,
    )
    c: float = parameter(
        0.693147,
        "1/day",
        "clearance of free virus",
        Derived("ln 2 over the half-life 1.0 d (abstract)"),
        lower=1e-9,
    )
    eps: float = parameter(0.0, "1", "blocked production", Derived("no therapy"), upper=1.0)
    volume: float = parameter(
        15000.0, "mL", "volume in which cells and virus are counted", Assumed("extracellular fluid")
    )
    V_unit: float = parameter(
        1.0, "virion/mL", "unit of the logarithm", Derived("log10 is of virions per mL")
    )


def initial(p: Rates) -> Blood:
    """Return the untreated steady state, infected if the virus can spread."""
    T = minimum(p.s / p.d, p.c * p.delta / (p.b * p.p))
    I = (p.s - p.d * T) / p.delta
    return Blood(T=T, I=I, V=p.p * I / p.c)


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    infection = p.b * y.V * y.T
    return Blood(
        T=p.s - p.d * y.T - infection,
        I=infection - p.delta * y.I,
        V=(1.0 - p.eps) * p.p * y.I - p.c * y.V,
    )


@observable("1", "log10 of the virus in virions per mL")
def log10_virus(t: float, y: Blood, p: Rates) -> float:
    return log(y.V / p.V_unit) / log(10.0)


@observable("virion/day", "virions that all infected cells release")
def release(t: float, y: Blood, p: Rates) -> float:
    return (1.0 - p.eps) * p.p * y.I * p.volume


VARIANTS = (
    variant(
        "short_lived",
        "infected cells with a half-life of 10 days",
        {
            "delta": (0.06931, Derived("ln 2 over 10 d (abstract)")),
            "p": (8.942, Derived("1e11 virions a day from the cells of this steady state")),
        },
        group="parameters",
    ),
    variant(
        "long_lived",
        "infected cells with a half-life of 100 days",
        {
            "delta": (0.006931, Derived("ln 2 over 100 d (abstract)")),
            "p": (0.8942, Derived("1e11 virions a day from the cells of this steady state")),
        },
        group="parameters",
    ),
    variant(
        "generic",
        "numbers without units of a file for another paper (Nowak and Bangham 1996)",
        {
            "s": (1.0, GENERIC),
            "d": (0.01, GENERIC),
            "b": (0.05, GENERIC),
            "delta": (0.5, GENERIC),
            "p": (1.0, GENERIC),
            "c": (1.0, GENERIC),
        },
        group="parameters",
    ),
)


MODEL = Model(
    "nowak_1996",
    rhs,
    Blood,
    Rates,
    time_unit="day",
    observables=(log10_virus, release),
    variants=VARIANTS,
    initial=initial,
    reference="doi:10.1073/pnas.93.9.4398",
    area="virus",
)
