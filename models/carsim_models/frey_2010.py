"""Tocilizumab in serum after intravenous infusion (Frey et al. 2010).

Two compartments with linear and, in parallel, saturable elimination from the central one: the
antibody that the IL-6 receptor binds. Values are those of the typical patient of the paper, an
adult with rheumatoid arthritis: male, 1.8 m2, non-smoker; CL of women (82 % of the patients) is
16 % lower. The effects of the other covariates (size, lipids, albumin, protein, rheumatoid factor,
renal function, smoking) are not in the model.

Between-patient variability, log-normal, coefficients of variation: CL 39 %, V1 37 %, V2 66 %,
VM 54 %. Correlations: CL with V1 0.6, with V2 -0.1, with VM -0.5; V1 with V2 0.5, with VM 0.2; V2
with VM 0.2. Residual: 22 % and 2.4 ug/mL. `population` draws such women and men. We have read these
numbers in nlmixr2lib's transcription of Table II (Frey_2010_tocilizumab.R), not in the paper.

Give doses as infusions of an hour into `tocilizumab`: 4 or 8 mg/kg every four weeks in the paper;
the typical patient weighed 70 kg.

Reference
    N. Frey, S. Grange, T. Woodworth (2010). Population pharmacokinetic analysis of tocilizumab in
    patients with rheumatoid arthritis. J. Clin. Pharmacol. 50:754-766.
    doi:10.1177/0091270009350623
"""

from carsim import Cited, Model, Parameters, Population, State, observable, parameter, route, state
from carsim.population import Component, LogNormal, Mixture

TABLE = Cited("10.1177/0091270009350623").at("Table II, population estimates")


class Serum(State):
    central: float = state(0.0, "mg", "tocilizumab, central", atol=1e-4)
    peripheral: float = state(0.0, "mg", "tocilizumab, peripheral", atol=1e-4)


class Rates(Parameters):
    CL: float = parameter(0.3, "L/day", "linear clearance", TABLE, plausible=(0.14, 0.63))
    V1: float = parameter(3.5, "L", "central volume", TABLE, plausible=(1.7, 7.1), lower=1e-3)
    Q: float = parameter(0.2, "L/day", "distribution", TABLE)
    V2: float = parameter(2.9, "L", "peripheral volume", TABLE, plausible=(0.9, 9.4), lower=1e-3)
    VM: float = parameter(
        7.5, "mg/day", "largest saturable elimination", TABLE, plausible=(2.8, 20.2)
    )
    KM: float = parameter(2.7, "mg/L", "concentration for half of it", TABLE, lower=1e-6)


def rhs(t: float, y: Serum, p: Rates) -> Serum:
    """Return the rates of change."""
    c = y.central / p.V1
    exchange = p.Q * (c - y.peripheral / p.V2)
    return Serum(central=-(p.CL + p.VM / (p.KM + c)) * c - exchange, peripheral=exchange)


@observable("mg/L", "tocilizumab in serum")
def concentration(t: float, y: Serum, p: Rates) -> float:
    return y.central / p.V1


@observable("L/day", "total clearance at this concentration")
def clearance(t: float, y: Serum, p: Rates) -> float:
    return p.CL + p.VM / (p.KM + y.central / p.V1)


def population(size: int, seed: int = 0) -> Population:
    """Patients who differ as those of the paper do.

    Parameters
    ----------
    size : int
        Number of patients.
    seed : int
        Root of all random numbers.
    """
    return Population(
        size,
        seed,
        {
            "V1": LogNormal(3.5, cv=0.37, lower=1e-3),
            "V2": LogNormal(2.9, cv=0.66, lower=1e-3),
            "VM": LogNormal(7.5, cv=0.54),
        },
        {
            ("CL", "V1"): 0.6,
            ("CL", "V2"): -0.1,
            ("CL", "VM"): -0.5,
            ("V1", "V2"): 0.5,
            ("V1", "VM"): 0.2,
            ("V2", "VM"): 0.2,
        },
        Mixture(
            "sex",
            [
                Component("female", 0.82, parameters={"CL": LogNormal(0.84 * 0.3, cv=0.39)}),
                Component("male", 0.18, parameters={"CL": LogNormal(0.3, cv=0.39)}),
            ],
        ),
    )


MODEL = Model(
    "frey_2010",
    rhs,
    Serum,
    Rates,
    time_unit="day",
    observables=(concentration, clearance),
    routes=(route("tocilizumab", "mg", "tocilizumab, intravenous", {"central": 1.0}),),
    reference="doi:10.1177/0091270009350623",
    area="drugs",
)
