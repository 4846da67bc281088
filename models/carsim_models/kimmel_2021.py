"""T cells compete for space after lymphodepletion (Kimmel, Locke and Altrock 2021).

Normal T cells N and CAR-T cells C regrow towards their carrying capacities by Gompertz growth in
their sum; CAR-T cells grow faster the further the count is from normal. Tumor B grows
exponentially and is killed at a rate that saturates in the CAR-T cells. The deterministic part
only: the paper switches to birth and death of single cells below about 100 tumor cells.

Cells per microliter of blood and tumor in mL, as in the file BioModels curates.

Reference
    G. J. Kimmel, F. L. Locke, P. M. Altrock (2021). The roles of T cell competition and
    stochastic extinction events in chimeric antigen receptor T cell therapy.
    Proc. R. Soc. B 288:20210229. doi:10.1098/rspb.2021.0229
"""

from carsim import Cited, Model, Parameters, State, parameter, route, state
from carsim.math import log

PAPER = Cited("10.1098/rspb.2021.0229")
CURATED = PAPER.at("BioModels BIOMD0000001041")


class Blood(State):
    N: float = state(6.0, "cell/uL", "normal T cells", CURATED, atol=1e-6)
    C: float = state(0.36, "cell/uL", "CAR-T cells", CURATED, atol=1e-6)
    B: float = state(94.86, "mL", "antigen-presenting tumor", CURATED, atol=1e-14)


class Rates(Parameters):
    K_N: float = parameter(500.0, "cell/uL", "capacity of normal T cells", CURATED, lower=1.0)
    K_C: float = parameter(
        139.0, "cell/uL", "capacity of CAR-T cells", CURATED, plausible=(123.0, 193.0), lower=1.0
    )
    r_N: float = parameter(0.17, "1/day", "growth of normal T cells", CURATED, lower=0.0)
    rho_C: float = parameter(
        0.0251, "1/day", "growth of CAR-T cells", CURATED, plausible=(0.0208, 0.0354), lower=0.0
    )
    a: float = parameter(0.423, "1", "weight of the present count", CURATED, lower=0.0)
    b: float = parameter(0.525, "1/day", "extra growth when lymphopenic", CURATED, lower=0.0)
    r_B: float = parameter(0.01, "1/day", "tumor growth", CURATED, plausible=(0.01, 0.5))
    gamma_B: float = parameter(
        1.15, "1/day", "maximal killing", CURATED, plausible=(0.64, 1.35), lower=0.0
    )
    k_B: float = parameter(
        4.05, "cell/uL", "CAR-T count for half of it", CURATED, plausible=(2.8, 6.25), lower=1e-9
    )


def rhs(t: float, y: Blood, p: Rates) -> Blood:
    """Return the rates of change."""
    total = y.N + y.C
    gap = p.K_N - total
    r_C = p.rho_C + p.b * gap * gap / (p.a * total * total + gap * gap)
    return Blood(
        N=-p.r_N * y.N * log(total / p.K_N),
        C=-r_C * y.C * log(total / p.K_C),
        B=p.r_B * y.B - p.gamma_B * y.B * y.C / (p.k_B + y.C),
    )


MODEL = Model(
    "kimmel_2021",
    rhs,
    Blood,
    Rates,
    time_unit="day",
    routes=(route("car_t", "cell/uL", "infused CAR-T cells in blood", {"C": 1.0}),),
    reference="doi:10.1098/rspb.2021.0229",
    area="CAR-T and leukemia",
)
