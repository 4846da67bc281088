"""CARTmath: effector and memory CAR-T cells and a tumor in mice (Barros et al. 2021).

Effector CAR-T cells C_T proliferate, kill the tumor T, are inhibited by it and become memory cells
C_M, which turn back into effectors when they meet the tumor. Default: HDLM-2 lymphoma with
CAR-T 123 cells, which is eliminated and remembered. Variants: Raji lymphoma with CAR-T 19 cells,
which escapes. As in the paper a pool below 1e-6 cells is extinct.

The mice start without CAR-T cells: give them by the route `car_t` (HDLM-2: 2e6 on day 42; the
BioModels file has day 45. Raji: 1e7 on day 7) and challenge again by the route `tumor` (1e6 on
day 250). theta T reaches 2e4 a day in the Raji set, which is stiff; its tumor grows without bound
(b = 0).

Reference
    L. R. C. Barros, E. A. Paixao, A. M. P. Valli, G. T. Naozuka, A. C. Fassoni, R. C. Almeida
    (2021). CARTmath - a mathematical model of CAR-T immunotherapy in preclinical studies of
    hematological cancers. Cancers 13:2941. doi:10.3390/cancers13122941
"""

from carsim import Cited, Model, Parameters, State, parameter, route, state, variant

PAPER = Cited("10.3390/cancers13122941")
TABLE = PAPER.at("Table 2")
TEXT = PAPER.at("section 3.1")
SETTINGS = PAPER.at("section 2.5")


class Cells(State):
    C_T: float = state(0.0, "cell", "effector CAR-T cells", SETTINGS, atol=1e-8, extinct_below=1e-6)
    C_M: float = state(0.0, "cell", "memory CAR-T cells", SETTINGS, atol=1e-8, extinct_below=1e-6)
    T: float = state(2.0e6, "cell", "tumor cells", TEXT, atol=1e-8, extinct_below=1e-6)


class Rates(Parameters):
    phi: float = parameter(0.265, "1/day", "proliferation of effectors", TABLE)
    rho: float = parameter(0.350, "1/day", "death and conversion of effectors", TABLE)
    eps: float = parameter(0.150, "1/day", "conversion to memory", TABLE)
    theta: float = parameter(6.0e-6, "1/cell/day", "memory back to effectors", TABLE)
    alpha: float = parameter(4.5e-8, "1/cell/day", "inhibition by tumor", TABLE, lower=-1.0)
    mu: float = parameter(5.0e-3, "1/day", "death of memory cells", TABLE)
    r: float = parameter(5.650026e-2, "1/day", "growth of tumor", TABLE)
    b: float = parameter(1.404029e-12, "1/cell", "inverse capacity of tumor", TABLE)
    gamma: float = parameter(3.715843e-6, "1/cell/day", "killing", TABLE)
    T_0: float = parameter(2.0e6, "cell", "tumor cells injected at the start", TEXT)


def initial(p: Rates) -> Cells:
    """Return an injected tumor without CAR-T cells."""
    return Cells(C_T=0.0, C_M=0.0, T=p.T_0)


def rhs(t: float, y: Cells, p: Rates) -> Cells:
    """Return the rates of change."""
    recall = p.theta * y.T * y.C_M
    return Cells(
        C_T=(p.phi - p.rho) * y.C_T + recall - p.alpha * y.T * y.C_T,
        C_M=p.eps * y.C_T - recall - p.mu * y.C_M,
        T=p.r * y.T * (1.0 - p.b * y.T) - p.gamma * y.C_T * y.T,
    )


RAJI = {
    "phi": (0.830, TABLE),
    "rho": (0.8300536, TABLE),
    "eps": (1.59795, TABLE),
    "theta": (2.3e-4, TABLE),
    "mu": (6.89e-7, TABLE),
    "r": (0.5071721, TABLE),
    "b": (0.0, TABLE),
    "gamma": (3.365388e-8, TABLE),
    "T_0": (3.0e6, TEXT),
}

CAPTION = PAPER.at("Table 2 caption")

MODEL = Model(
    "barros_2021",
    rhs,
    Cells,
    Rates,
    time_unit="day",
    routes=(
        route("car_t", "cell", "infused effector CAR-T cells", {"C_T": 1.0}),
        route("tumor", "cell", "injected tumor cells", {"T": 1.0}),
    ),
    variants=(
        variant(
            "raji",
            "Raji lymphoma, CAR-T 19",
            {**RAJI, "alpha": (1.248506e-8, TABLE)},
            group="cell line",
        ),
        variant(
            "raji_ido",
            "Raji lymphoma that expresses IDO, CAR-T 19",
            {**RAJI, "alpha": (1.461699e-8, CAPTION)},
            group="cell line",
        ),
        variant(
            "raji_ido_1mt",
            "Raji lymphoma that expresses IDO, CAR-T 19 and the IDO inhibitor 1-MT",
            {**RAJI, "alpha": (1.261662e-8, CAPTION)},
            group="cell line",
        ),
    ),
    initial=initial,
    reference="doi:10.3390/cancers13122941",
    area="CAR-T and leukemia",
)
