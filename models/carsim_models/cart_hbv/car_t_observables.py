"""What the clinic measures of CAR-T cells, leukemia, blood cells and cytokines."""

from carsim import observable
from carsim_models.cart_hbv import cart, cure, cytokine, t_cell
from carsim_models.cart_hbv import dexamethasone as dexamethasone_module
from carsim_models.cart_hbv import tocilizumab as tocilizumab_module
from carsim_models.cart_hbv.car_t_side import CarTSide, CarTSideRates


@observable("cell/uL", "CAR-T cells in blood")
def car_t(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return cart.count(y.cart, p.cart)


@observable("cell", "CAR-T cells, blood and marrow")
def car_t_total(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return cart.total(y.cart)


@observable("cell", "CD19+ leukemia")
def leukemia_cd19_positive(t: float, y: CarTSide, p: CarTSideRates) -> float:
    marrow = y.leukemia.positive_marrow + y.leukemia.positive_blood
    return marrow + y.leukemia.positive_extramedullary


@observable("cell", "CD19- leukemia")
def leukemia_cd19_negative(t: float, y: CarTSide, p: CarTSideRates) -> float:
    marrow = y.leukemia.negative_marrow + y.leukemia.negative_blood
    return marrow + y.leukemia.negative_extramedullary


@observable("cell", "leukemia")
def leukemia(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return leukemia_cd19_positive(t, y, p) + leukemia_cd19_negative(t, y, p)


@observable("cell", "extramedullary leukemia")
def leukemia_extramedullary(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.leukemia.positive_extramedullary + y.leukemia.negative_extramedullary


@observable("cell", "effector CAR-T cells at the extramedullary site")
def car_t_extramedullary(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.cart.effector_extramedullary


@observable("1", "probability that no CD19+ leukemia cell is left in marrow")
def cure_probability_cd19_positive(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return cure.probability(
        p.leukemia.initial_cells / p.leukemia.one, y.cure.rho_positive, y.cure.q_positive, p.cure
    )


@observable("1", "probability that no leukemia cell is left in marrow")
def cure_probability(t: float, y: CarTSide, p: CarTSideRates) -> float:
    negative = p.leukemia.initial_cells / p.leukemia.one * p.leukemia.negative_fraction
    return cure_probability_cd19_positive(t, y, p) * cure.probability(
        negative, y.cure.rho_negative, y.cure.q_negative, p.cure
    )


@observable("cell/uL", "B cells in blood")
def b_cells(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return p.b_cell.f_blood * y.b_cell.mature / p.cart.V_b


@observable("g/L", "immunoglobulin G")
def igg(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.b_cell.igg


@observable("cell/uL", "T cells in blood other than CAR-T")
def t_cells(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.t_cell.count


@observable("1", "what T cells can do against a virus, before conditioning 1")
def immune_competence(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return t_cell.immune_competence(y.t_cell, p.t_cell)


@observable("1", "lymphodepletion, in units of one daily course")
def lymphodepletion(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.t_cell.lymphodepletion


@observable("pg/mL", "interleukin 6")
def il6(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.cytokine.il6


@observable("1", "IL-6 receptor signal, 0 to 1")
def il6_signal(t: float, y: CarTSide, p: CarTSideRates) -> float:
    drug = tocilizumab_module.concentration(y.tocilizumab, p.tocilizumab)
    return cytokine.il6_signal(y.cytokine, p.cytokine, drug)


@observable("1", "CRS grade now, 0 to 4 (assumed rule on the IL-6 signal)")
def crs_grade(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return cytokine.crs_grade(p.cytokine, il6_signal(t, y, p))


@observable("pg/mL", "interferon gamma")
def ifn_gamma(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.cytokine.ifn_gamma


@observable("mg/L", "C-reactive protein")
def crp(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.cytokine.crp


@observable("ug/L", "ferritin")
def ferritin(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.cytokine.ferritin


@observable("ug/mL", "tocilizumab in plasma")
def tocilizumab(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return tocilizumab_module.concentration(y.tocilizumab, p.tocilizumab)


@observable("mg", "dexamethasone that acts")
def dexamethasone(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return y.dexamethasone.amount


@observable("1", "effect of dexamethasone, 0 to 1")
def steroid_effect(t: float, y: CarTSide, p: CarTSideRates) -> float:
    return dexamethasone_module.effect(y.dexamethasone, p.dexamethasone)


OBSERVABLES = (
    car_t,
    car_t_total,
    leukemia,
    leukemia_cd19_positive,
    leukemia_cd19_negative,
    leukemia_extramedullary,
    car_t_extramedullary,
    cure_probability,
    cure_probability_cd19_positive,
    b_cells,
    igg,
    t_cells,
    immune_competence,
    lymphodepletion,
    il6,
    il6_signal,
    crs_grade,
    ifn_gamma,
    crp,
    ferritin,
    tocilizumab,
    dexamethasone,
    steroid_effect,
)
