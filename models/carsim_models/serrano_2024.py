"""CAR-T cells, leukemia, and a constant source of B cells (Serrano et al. 2024).

The reduced model of Leon-Triana et al. 2021 with a constant influx I_0 of normal B cells, which
keep the CAR-T cells stimulated. Above a critical influx the equilibrium without leukemia is stable
(transcritical bifurcation); below it remission and relapse alternate. Of the paper we had the
equations and the conclusions of its abstract, not its table: the values are those of Leon-Triana et
al. 2021 and are marked as assumed.

Reference
    S. Serrano, R. Barrio, A. Martinez-Rubio, J. Belmonte-Beitia, V. M. Perez-Garcia (2024).
    Understanding the role of B-cells in CAR T-cell therapy in leukemia through a mathematical
    model. Chaos. doi:10.1063/5.0206341
"""

from carsim import Assumed, Model, Parameters, State, observable, parameter, route, state

BORROWED = Assumed("value of Leon-Triana et al. 2021, 10.1016/j.cnsns.2020.105570, not Serrano's")


class Cells(State):
    C: float = state(1.0e7, "cell", "CAR-T cells", BORROWED, atol=1e-2)
    L: float = state(5.0e10, "cell", "leukemic CD19+ cells", BORROWED, atol=1e-2)
    B: float = state(2.5e10, "cell", "normal B cells", BORROWED, atol=1e-2)


class Rates(Parameters):
    alpha: float = parameter(4.5e-11, "1/cell/day", "killing by CAR-T cells", BORROWED)
    rho_C: float = parameter(1.125e-11, "1/cell/day", "stimulation, 0.25 alpha", BORROWED)
    tau_C: float = parameter(14.0, "day", "life time of CAR-T cells", BORROWED, lower=0.1)
    rho_L: float = parameter(0.03333333333, "1/day", "growth of leukemia", BORROWED)
    tau_B: float = parameter(60.0, "day", "life time of B cells", BORROWED, lower=0.1)
    I_0: float = parameter(
        4.166666666666667e8,
        "cell/day",
        "influx of B cells",
        Assumed("balances the loss 2.5e10 / 60 d of the B cells at the start"),
    )


def rhs(t: float, y: Cells, p: Rates) -> Cells:
    """Return the rates of change."""
    return Cells(
        C=p.rho_C * (y.L + y.B) * y.C - y.C / p.tau_C,
        L=p.rho_L * y.L - p.alpha * y.L * y.C,
        B=p.I_0 - p.alpha * y.B * y.C - y.B / p.tau_B,
    )


@observable("cell/day", "influx of B cells above which the leukemia dies out")
def critical_influx(t: float, y: Cells, p: Rates) -> float:
    return (p.rho_L + 1.0 / p.tau_B) / (p.rho_C * p.tau_C)


MODEL = Model(
    "serrano_2024",
    rhs,
    Cells,
    Rates,
    time_unit="day",
    observables=(critical_influx,),
    routes=(route("car_t", "cell", "infused CAR-T cells", {"C": 1.0}),),
    reference="doi:10.1063/5.0206341",
    area="CAR-T and leukemia",
)
