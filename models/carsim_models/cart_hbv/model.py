"""CAR-T cell therapy of B-cell leukemia in a patient with past or present hepatitis B.

A composed model of our own (docs/flagship.md says what is published, what is derived and what is
assumed). The CAR-T side (cart, leukemia, b_cell, t_cell, cytokine, tocilizumab, dexamethasone)
drives the virus (hbv), which entecavir suppresses:

- T-cell competence, low after lymphodepletion, makes the HBV-specific effectors;
- lymphodepletion and steroid remove them; steroid also raises viral expression;
- signaling IL-6 lowers viral expression, tocilizumab undoes that;
- plasma cells, fewer while B cells are gone, make anti-HBs; IVIG brings some.

Nothing leads back from the virus to the CAR-T side: clinical data show none.
"""

from carsim import Model, observable, route
from carsim_models.cart_hbv import (
    car_t_observables,
    car_t_side,
    cytokine,
    dexamethasone,
    hbv,
    hbv_observables,
    t_cell,
    tocilizumab,
)
from carsim_models.cart_hbv import entecavir as entecavir_module
from carsim_models.cart_hbv.antivirals import ANTIVIRALS
from carsim_models.cart_hbv.car_t_side import CarTSide, CarTSideRates
from carsim_models.cart_hbv.hbv_observables import Infected, InfectedRates
from carsim_models.cart_hbv.hbv_phases import PHASES
from carsim_models.cart_hbv.hbv_steady_state import steady_state
from carsim_models.cart_hbv.products import PRODUCTS


class Patient(Infected, CarTSide):
    entecavir: entecavir_module.Entecavir


class PatientRates(InfectedRates, CarTSideRates):
    entecavir: entecavir_module.EntecavirRates


def initialise(p: PatientRates) -> tuple[Patient, PatientRates]:
    """Return the untreated steady state with leukemia, and the parameters computed from it."""
    side = car_t_side.initial(p)
    virus, rates = steady_state(p.hbv)
    state = Patient(
        cart=side.cart,
        leukemia=side.leukemia,
        cure=side.cure,
        b_cell=side.b_cell,
        t_cell=side.t_cell,
        cytokine=side.cytokine,
        tocilizumab=side.tocilizumab,
        dexamethasone=side.dexamethasone,
        hbv=virus,
        entecavir=entecavir_module.Entecavir(
            gut=0.0, central=0.0, peripheral=0.0, triphosphate=0.0
        ),
    )
    return state, p._replace(hbv=rates, entecavir=entecavir_module.prepare(p.entecavir))


def rhs(t: float, y: Patient, p: PatientRates) -> Patient:
    """Return the rates of change; time enters through the therapy only."""
    side = car_t_side.derivatives(y, p)
    drug = tocilizumab.concentration(y.tocilizumab, p.tocilizumab)
    return Patient(
        cart=side.cart,
        leukemia=side.leukemia,
        cure=side.cure,
        b_cell=side.b_cell,
        t_cell=side.t_cell,
        cytokine=side.cytokine,
        tocilizumab=side.tocilizumab,
        dexamethasone=side.dexamethasone,
        hbv=hbv.derivatives(
            y.hbv,
            p.hbv,
            competence=t_cell.immune_competence(y.t_cell, p.t_cell),
            depletion=t_cell.courses_per_day(y.t_cell, p.t_cell),
            steroid=dexamethasone.effect(y.dexamethasone, p.dexamethasone),
            il6_factor=hbv.il6_suppression(
                p.hbv, y.cytokine.il6, p.cytokine.b_6, cytokine.blockade(p.cytokine, drug)
            ),
            production=entecavir_module.residual(y.entecavir, p.entecavir),
            short_lived=y.b_cell.short_lived,
            long_lived=y.b_cell.long_lived,
        ),
        entecavir=entecavir_module.derivatives(y.entecavir, p.entecavir),
    )


@observable("ng/mL", "entecavir in plasma")
def entecavir(t: float, y: Patient, p: PatientRates) -> float:
    return entecavir_module.concentration(y.entecavir, p.entecavir)


@observable("1", "share of virion production that entecavir blocks")
def antiviral_efficacy(t: float, y: Patient, p: PatientRates) -> float:
    return entecavir_module.efficacy(y.entecavir, p.entecavir)


@observable("1/day", "hazard that the virus turns resistant to entecavir")
def entecavir_resistance_hazard(t: float, y: Patient, p: PatientRates) -> float:
    return entecavir_module.resistance_hazard(y.entecavir, p.entecavir)


def anti_hbs_in_ivig(p: PatientRates) -> float:
    """Return the anti-HBs that comes with 1 g/L of immunoglobulin."""
    return p.hbv.ivig


MODEL = Model(
    "cart_hbv",
    rhs,
    Patient,
    PatientRates,
    time_unit="day",
    observables=(
        *car_t_observables.OBSERVABLES,
        *hbv_observables.OBSERVABLES,
        entecavir,
        antiviral_efficacy,
        entecavir_resistance_hazard,
    ),
    routes=(
        *car_t_side.ROUTES,
        route(
            "entecavir",
            "mg",
            "entecavir by mouth",
            {"entecavir.gut": lambda p: p.entecavir.per_mg},
        ),
        route(
            "ivig",
            "g/L",
            "immunoglobulin, as the rise of IgG in serum",
            {"b_cell.igg": 1.0, "hbv.anti_hbs": anti_hbs_in_ivig},
        ),
    ),
    variants=(*PRODUCTS, *PHASES, *ANTIVIRALS),
    initialise=initialise,
    populations="carsim_models.cart_hbv.populations",
    area="composed",
)
