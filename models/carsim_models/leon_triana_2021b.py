"""CAR-T cells with one or two targets in a solid tumor (Leon-Triana et al. 2021, Cancers).

CAR-T cells C in the tumor are stimulated by tumor cells T (saturating), inactivated by them, and
kill them by mass action. A second CAR group lets the cells elsewhere, C_bar, expand on CD19+ B
cells and migrate to the tumor (Eqs 3-6), which overrides the immune suppression.

CAR-T cells with the tumor target alone (Eqs 1-2) are exactly the case C_bar = 0: variant
`single_target`. Defaults are those of Fig 5b, solid line. The file that BioModels curates
(BIOMD0000001014) has alpha_1 = 0.02 instead of the caption's 0.04. Plausible ranges are Table 1's.

Reference
    O. Leon-Triana, A. Perez-Martinez, M. Ramirez-Orellana, V. M. Perez-Garcia (2021). Dual-target
    CAR-Ts with on- and off-tumour activity may override immune suppression in solid cancers: a
    mathematical proof of concept. Cancers 13:703. doi:10.3390/cancers13040703
"""

from carsim import Cited, Derived, Model, Parameters, State, parameter, route, state, variant

PAPER = Cited("10.3390/cancers13040703")
DUAL = PAPER.at("Figure 5 caption (b)")
SINGLE = PAPER.at("Figure 5 caption (a)")


class Cells(State):
    C: float = state(0.0, "cell", "CAR-T cells in the tumor", DUAL, atol=1e-2)
    T: float = state(3.35e10, "cell", "tumor cells", DUAL, atol=1e-2)
    C_bar: float = state(2.0e8, "cell", "CAR-T cells away from the tumor", DUAL, atol=1e-2)
    B: float = state(2.5e10, "cell", "B cells", DUAL, atol=1e-2)


class Rates(Parameters):
    C_0: float = parameter(0.0, "cell", "CAR-T cells in the tumor at the start", DUAL)
    T_0: float = parameter(3.35e10, "cell", "tumor cells at the start", DUAL)
    C_bar_0: float = parameter(2.0e8, "cell", "CAR-T cells elsewhere at the start", DUAL)
    B_0: float = parameter(2.5e10, "cell", "B cells after lymphodepletion", DUAL)
    rho_C: float = parameter(
        0.9, "1/day", "maximal stimulation by tumor cells", DUAL, plausible=(0.2, 0.9)
    )
    g_T: float = parameter(1.0e10, "cell", "tumor cells for half of it", DUAL, lower=1.0)
    alpha_1: float = parameter(
        0.04, "1/day", "inactivation by tumor cells", DUAL, plausible=(0.01, 0.99)
    )
    g_C: float = parameter(
        2.0e9,
        "cell",
        "CAR-T cells for half-maximal inactivation",
        DUAL,
        plausible=(5.0e8, 5.0e9),
        lower=1.0,
    )
    tau_C: float = parameter(
        7.0, "day", "life time of CAR-T cells", DUAL, plausible=(7.0, 30.0), lower=0.1
    )
    rho_T: float = parameter(0.02, "1/day", "growth of tumor", DUAL, plausible=(0.001, 0.2))
    alpha_2: float = parameter(2.5e-10, "1/cell/day", "killing of tumor cells", DUAL)
    rho_C_bar: float = parameter(
        0.9, "1/day", "maximal stimulation by B cells", DUAL, plausible=(0.2, 0.9)
    )
    g_B: float = parameter(1.0e10, "cell", "B cells for half of it", DUAL, lower=1.0)
    k: float = parameter(0.2, "1/day", "migration to the tumor", DUAL, upper=1.0)
    alpha_B: float = parameter(4.5e-11, "1/cell/day", "killing of B cells", DUAL)
    tau_B: float = parameter(
        60.0, "day", "life time of B cells", DUAL, plausible=(30.0, 60.0), lower=0.1
    )


def initial(p: Rates) -> Cells:
    """Return the numbers of cells at the start."""
    return Cells(C=p.C_0, T=p.T_0, C_bar=p.C_bar_0, B=p.B_0)


def rhs(t: float, y: Cells, p: Rates) -> Cells:
    """Return the rates of change."""
    stimulation = p.rho_C * y.C * y.T / (p.g_T + y.T)
    inactivation = p.alpha_1 * y.C * y.T / (p.g_C + y.C)
    expansion = p.rho_C_bar * y.C_bar * y.B / (p.g_B + y.B)
    return Cells(
        C=stimulation - inactivation - y.C / p.tau_C + p.k * y.C_bar,
        T=p.rho_T * y.T - p.alpha_2 * y.C * y.T,
        C_bar=expansion - y.C_bar / p.tau_C - p.k * y.C_bar,
        B=-p.alpha_B * y.B * y.C_bar - y.B / p.tau_B,
    )


MODEL = Model(
    "leon_triana_2021b",
    rhs,
    Cells,
    Rates,
    time_unit="day",
    routes=(
        route("car_t", "cell", "CAR-T cells infused into blood", {"C_bar": 1.0}),
        route("car_t_local", "cell", "CAR-T cells given into the tumor", {"C": 1.0}),
    ),
    variants=(
        variant(
            "single_target",
            "CAR-T cells that recognize the tumor only (Eqs 1-2), 4e8 in the tumor",
            {
                "C_0": (4.0e8, SINGLE),
                "C_bar_0": (0.0, Derived("Eqs 1-2 are Eqs 3-6 without C_bar")),
                "B_0": (0.0, Derived("Eqs 1-2 have no B cells")),
                # The caption says 0.01; text and curators of BIOMD0000001013: 0.04.
                "alpha_1": (0.04, PAPER.at("section 4.1, long-term simulation")),
            },
        ),
    ),
    initial=initial,
    reference="doi:10.3390/cancers13040703",
    area="CAR-T and leukemia",
)
