"""An antigen switch between memory and effector CAR-T cells (Kirouac et al. 2023).

Memory cells Tm renew themselves while there is little antigen Ba and give rise to early effectors
Te1 otherwise; antigen makes these divide into effectors Te2, which kill the tumor B, tire into
exhausted cells Tx, and return to memory as the antigen goes. A dose reaches the four pools through
`D` and `DX`; all but about one cell in f_loss is lost on the way.

The paper fits tisagenlecleucel in chronic lymphocytic leukemia and gives twelve parameter sets each
for complete (CR), partial (PR) and no response (NR). The defaults and the variants are medians of
the twelve, parameter by parameter, and are no patients: the medians of PR lie far from the twelve
(peak of 8e5 CAR-T cells; theirs 4e7 in the median). For the response of a group take the sets,
which `evidence/kirouac_2023.py` lists. In ten of the twelve sets of PR, and two of CR, the capacity
B_max is below the tumor at the start, which then shrinks without any killing.

Equations, parameter sets, initial values and dose as in the GitHub repository mstadt/CART2, a
reimplementation; we have not seen the paper's own code.

Reference
    D. C. Kirouac et al. (2023). Deconvolution of clinical variance in CAR-T cell pharmacology and
    response. Nat. Biotechnol. doi:10.1038/s41587-023-01687-x
"""

from carsim import (
    Cited,
    Derived,
    Model,
    Parameters,
    State,
    observable,
    parameter,
    route,
    state,
    variant,
)
from carsim.math import hill, power

PAPER = Cited("10.1038/s41587-023-01687-x")
CODE = PAPER.at("mstadt/CART2: mod_eqns.m, driver_allpatients.m")
MEDIAN = Derived("median of the paper's twelve sets, from mstadt/CART2, pars/get_pars.m")

# Ranges in which the paper's fit looked, as noted for mstadt/CART2.
RATE = (0.001, 1.0)
HILL = (0.2, 3.0)


class Cells(State):
    Tm: float = state(0.0, "cell", "memory CAR-T cells", CODE, atol=1e-2)
    Te1: float = state(0.0, "cell", "early effector CAR-T cells", CODE, atol=1e-2)
    Te2: float = state(0.0, "cell", "effector CAR-T cells", CODE, atol=1e-2)
    Tx: float = state(0.0, "cell", "exhausted CAR-T cells", CODE, atol=1e-2)
    B: float = state(1.0e10, "cell", "CD19+ tumor", CODE, atol=1e-2)
    Ba: float = state(1.0e10, "cell", "antigen, in tumor cells that carry it", CODE, atol=1e-2)
    D: float = state(0.0, "cell", "infused cells", CODE, atol=1e-2)
    DX: float = state(0.0, "cell", "infused cells that arrived", CODE, atol=1e-2)


class Rates(Parameters):
    B50: float = parameter(
        1.99294e9,
        "cell",
        "antigen at which the switch is half on",
        MEDIAN,
        plausible=(1e6, 1e10),
        lower=1.0,
    )
    mu_B: float = parameter(0.0502727, "1/day", "growth of tumor", MEDIAN)
    k_kill: float = parameter(0.938124, "1/day", "maximal killing", MEDIAN, plausible=RATE)
    f_loss: float = parameter(
        494.398,
        "1/day",
        "loss of infused cells before they arrive",
        MEDIAN,
        plausible=(1.0, 1000.0),
    )
    TK50: float = parameter(
        1.14117e6,
        "cell",
        "effectors at half-maximal killing",
        MEDIAN,
        plausible=(1e5, 1e9),
        lower=1.0,
    )
    k_t: float = parameter(
        0.554116, "1", "steepness of killing", MEDIAN, plausible=HILL, lower=0.01
    )
    k_B1: float = parameter(
        0.987218, "1/day", "antigen made per tumor cell", MEDIAN, plausible=RATE
    )
    k_B2: float = parameter(0.601293, "1/day", "clearance of antigen", MEDIAN, plausible=RATE)
    mu_M: float = parameter(0.898568, "1/day", "division of memory cells", MEDIAN, plausible=RATE)
    k_M: float = parameter(
        0.762634, "1", "steepness of self-renewal", MEDIAN, plausible=HILL, lower=0.01
    )
    f_max: float = parameter(
        0.590809, "1", "largest share of self-renewal", MEDIAN, plausible=(0.5, 0.99), upper=1.0
    )
    k_E: float = parameter(
        2.48485, "1", "steepness of effector division", MEDIAN, plausible=HILL, lower=0.01
    )
    mu_E: float = parameter(0.96115, "1/day", "division of early effectors", MEDIAN, plausible=RATE)
    N: float = parameter(5.04137, "1", "divisions of an early effector", MEDIAN)
    k_ex: float = parameter(0.360533, "1/day", "exhaustion of effectors", MEDIAN, plausible=RATE)
    d_M: float = parameter(0.351805, "1/day", "death of memory cells", MEDIAN, plausible=RATE)
    d_E1: float = parameter(0.0285396, "1/day", "death of early effectors", MEDIAN, plausible=RATE)
    d_E2: float = parameter(0.442194, "1/day", "death of effectors", MEDIAN, plausible=RATE)
    d_X: float = parameter(0.00594608, "1/day", "death of exhausted cells", MEDIAN, plausible=RATE)
    B_max: float = parameter(
        2.26416e11,
        "cell",
        "capacity of tumor",
        MEDIAN,
        plausible=(1e8, 1e12),
        lower=1.0,
    )
    k_X: float = parameter(
        0.686166, "1", "steepness of exhaustion", MEDIAN, plausible=HILL, lower=0.01
    )
    r_M: float = parameter(
        0.987425, "1/day", "effectors back to memory cells", MEDIAN, plausible=RATE
    )
    k_r: float = parameter(
        2.66144, "1", "steepness of that return", MEDIAN, plausible=HILL, lower=0.01
    )
    f_Tm: float = parameter(3.74669, "1/day", "arriving cells to memory", MEDIAN)
    f_Te1: float = parameter(7.85579, "1/day", "arriving cells to early effectors", MEDIAN)
    f_Te2: float = parameter(49.6916, "1/day", "arriving cells to effectors", MEDIAN)
    f_Tx: float = parameter(23.5837, "1/day", "arriving cells to exhausted cells", MEDIAN)
    k_D: float = parameter(1.0, "1/day", "arrival of infused cells", CODE)


def rhs(t: float, y: Cells, p: Rates) -> Cells:
    """Return the rates of change."""
    renewal = p.mu_M * p.f_max * (1.0 - hill(y.Ba, p.B50, p.k_M)) * y.Tm
    leaving = p.mu_M * y.Tm - renewal
    division = p.mu_E * hill(y.Ba, p.B50, p.k_E) * y.Te1
    exhaustion = p.k_ex * hill(y.Ba, p.B50, p.k_X) * y.Te2
    back = p.r_M * (1.0 - hill(y.Ba, p.B50, p.k_r)) * y.Te2
    return Cells(
        Tm=renewal - leaving - p.d_M * y.Tm + p.f_Tm * y.DX + back,
        Te1=2.0 * leaving - division - p.d_E1 * y.Te1 + p.f_Te1 * y.DX,
        Te2=division * power(2.0, p.N) - exhaustion - p.d_E2 * y.Te2 + p.f_Te2 * y.DX - back,
        Tx=exhaustion - p.d_X * y.Tx + p.f_Tx * y.DX,
        B=p.mu_B * y.B * (1.0 - y.B / p.B_max) - p.k_kill * y.B * hill(y.Te2, p.TK50, p.k_t),
        Ba=p.k_B1 * y.B - p.k_B2 * y.Ba,
        D=-(p.f_loss + p.k_D) * y.D,
        DX=p.k_D * y.D - (p.f_Tm + p.f_Te1 + p.f_Te2 + p.f_Tx) * y.DX,
    )


@observable("cell", "CAR-T cells")
def car_t(t: float, y: Cells, p: Rates) -> float:
    return y.Tm + y.Te1 + y.Te2 + y.Tx


PR = {
    "B50": 3.72686e9,
    "mu_B": 0.0505133,
    "k_kill": 0.916408,
    "f_loss": 733.627,
    "TK50": 6.51309e8,
    "k_t": 0.948346,
    "k_B1": 0.809186,
    "k_B2": 0.579451,
    "mu_M": 0.297554,
    "k_M": 1.3908,
    "f_max": 0.60003,
    "k_E": 2.63563,
    "mu_E": 0.539906,
    "N": 5.65299,
    "k_ex": 0.299986,
    "d_M": 0.460753,
    "d_E1": 0.13482,
    "d_E2": 0.67287,
    "d_X": 0.0905339,
    "B_max": 2.01863e8,
    "k_X": 1.25723,
    "r_M": 0.824386,
    "k_r": 2.47666,
    "f_Tm": 4.06642,
    "f_Te1": 1.52466,
    "f_Te2": 54.4773,
    "f_Tx": 20.2683,
}
NR = {
    "B50": 3.09954e9,
    "mu_B": 0.0503443,
    "k_kill": 0.142812,
    "f_loss": 999.96,
    "TK50": 6.05264e8,
    "k_t": 1.80047,
    "k_B1": 0.533366,
    "k_B2": 0.1648,
    "mu_M": 0.00103834,
    "k_M": 0.730752,
    "f_max": 0.552375,
    "k_E": 1.19026,
    "mu_E": 0.0865218,
    "N": 5.98567,
    "k_ex": 0.110908,
    "d_M": 0.00103239,
    "d_E1": 0.00118969,
    "d_E2": 0.0012916,
    "d_X": 0.0598584,
    "B_max": 1.61783e10,
    "k_X": 0.985763,
    "r_M": 0.674787,
    "k_r": 2.42807,
    "f_Tm": 5.91209,
    "f_Te1": 9.91184,
    "f_Te2": 31.1005,
    "f_Tx": 7.321,
}


MODEL = Model(
    "kirouac_2023",
    rhs,
    Cells,
    Rates,
    time_unit="day",
    observables=(car_t,),
    routes=(route("car_t", "cell", "infused CAR-T cells, 1e8 in the paper", {"D": 1.0}),),
    variants=(
        variant("CR", "medians of the complete responders", {}, group="response"),
        variant(
            "PR",
            "medians of the partial responders",
            {name: (value, MEDIAN) for name, value in PR.items()},
            group="response",
        ),
        variant(
            "NR",
            "medians of the non-responders",
            {name: (value, MEDIAN) for name, value in NR.items()},
            group="response",
        ),
    ),
    reference="doi:10.1038/s41587-023-01687-x",
    area="CAR-T and leukemia",
)
