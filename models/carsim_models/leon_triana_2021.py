"""CAR-T cells in B-cell leukemia, reduced model (Leon-Triana et al. 2021, Eqs 4).

CAR-T cells C are stimulated in proportion to all CD19+ cells, leukemic L and normal B, and kill
both by mass action. Without input from progenitors the normal B cells die out with life time
tau_B. The size of the dose hardly changes the peak, and leukemia recurs as in predator-prey
cycles.

The parameter values are those of the file with which BioModels reproduced Fig 2.

Reference
    O. Leon-Triana et al. (2021). CAR T cell therapy in B-cell acute lymphoblastic leukaemia:
    insights from mathematical models. Commun. Nonlinear Sci. Numer. Simul. 94:105570.
    doi:10.1016/j.cnsns.2020.105570
"""

from carsim import Cited, Model, Parameters, State, observable, parameter, route, state

PAPER = Cited("10.1016/j.cnsns.2020.105570")
CURATED = PAPER.at("Eqs 4, BioModels BIOMD0000001011")


class Cells(State):
    C: float = state(1.0e7, "cell", "CAR-T cells", CURATED, atol=1e-2)
    L: float = state(5.0e10, "cell", "leukemic CD19+ cells", CURATED, atol=1e-2)
    B: float = state(2.5e10, "cell", "normal B cells", CURATED, atol=1e-2)


class Rates(Parameters):
    alpha: float = parameter(4.5e-11, "1/cell/day", "killing by CAR-T cells", CURATED, lower=0.0)
    rho_C: float = parameter(1.125e-11, "1/cell/day", "stimulation, 0.25 alpha", CURATED, lower=0.0)
    tau_C: float = parameter(14.0, "day", "life time of CAR-T cells", CURATED, lower=0.1)
    rho_L: float = parameter(0.03333333333, "1/day", "growth of leukemia", CURATED)
    tau_B: float = parameter(60.0, "day", "life time of B cells", CURATED, lower=0.1)


def rhs(t: float, y: Cells, p: Rates) -> Cells:
    """Return the rates of change."""
    return Cells(
        C=p.rho_C * (y.L + y.B) * y.C - y.C / p.tau_C,
        L=p.rho_L * y.L - p.alpha * y.L * y.C,
        B=-p.alpha * y.B * y.C - y.B / p.tau_B,
    )


@observable("cell", "CD19+ cells, leukemic and normal")
def cd19_positive(t: float, y: Cells, p: Rates) -> float:
    return y.L + y.B


MODEL = Model(
    "leon_triana_2021",
    rhs,
    Cells,
    Rates,
    time_unit="day",
    observables=(cd19_positive,),
    routes=(route("car_t", "cell", "infused CAR-T cells", {"C": 1.0}),),
    reference="doi:10.1016/j.cnsns.2020.105570",
    area="CAR-T and leukemia",
)
