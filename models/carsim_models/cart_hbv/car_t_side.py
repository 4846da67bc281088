"""CAR-T cells, leukemia, B cells, T cells and cytokines together, with tocilizumab and steroid.

Everything except the virus. The model cart_b_all is this alone; cart_hbv adds the virus.
"""

from carsim import Parameters, State, route
from carsim_models.cart_hbv import (
    b_cell,
    cart,
    cure,
    cytokine,
    dexamethasone,
    leukemia,
    t_cell,
    tocilizumab,
)
from carsim_models.cart_hbv.sites import Sites


class CarTSide(State):
    cart: cart.CarT
    leukemia: leukemia.Leukemia
    cure: cure.Cure
    b_cell: b_cell.BCell
    t_cell: t_cell.TCell
    cytokine: cytokine.Cytokine
    tocilizumab: tocilizumab.Tocilizumab
    dexamethasone: dexamethasone.Dexamethasone


class CarTSideRates(Parameters):
    cart: cart.CarTRates
    leukemia: leukemia.LeukemiaRates
    cure: cure.CureRates
    b_cell: b_cell.BCellRates
    t_cell: t_cell.TCellRates
    cytokine: cytokine.CytokineRates
    tocilizumab: tocilizumab.TocilizumabRates
    dexamethasone: dexamethasone.DexamethasoneRates


def initial(p: CarTSideRates) -> CarTSide:
    """Return the state when the simulation starts: leukemia, nothing given yet."""
    return CarTSide(
        cart=cart.CarT(
            memory_blood=0.0,
            memory_marrow=0.0,
            effector_blood=0.0,
            effector_marrow=0.0,
            exhausted_blood=0.0,
            exhausted_marrow=0.0,
            effector_extramedullary=0.0,
            vaccine=0.0,
        ),
        leukemia=leukemia.initial(p.leukemia),
        cure=cure.initial(),
        b_cell=b_cell.initial(p.b_cell),
        t_cell=t_cell.initial(p.t_cell),
        cytokine=cytokine.initial(p.cytokine),
        tocilizumab=tocilizumab.Tocilizumab(central=0.0, peripheral=0.0),
        dexamethasone=dexamethasone.Dexamethasone(amount=0.0),
    )


def derivatives(y: CarTSide, p: CarTSideRates) -> CarTSide:
    """Return the rates of change of everything except the virus."""
    normal = b_cell.cd19(y.b_cell, p.b_cell)
    antigen = Sites(
        blood=y.leukemia.positive_blood + normal.blood,
        marrow=y.leukemia.positive_marrow + normal.marrow,
        extramedullary=y.leukemia.positive_extramedullary,
    )
    signal = cart.stimulus(antigen, p.cart)
    kill = cart.kill_rate(y.cart, p.cart, antigen)
    lymphodepletion = y.t_cell.lymphodepletion
    drug = p.leukemia.k_LD * lymphodepletion
    steroid = dexamethasone.effect(y.dexamethasone, p.dexamethasone)
    return CarTSide(
        cart=cart.derivatives(
            y.cart,
            p.cart,
            antigen=antigen,
            signal=signal,
            t_cells=y.t_cell.count,
            steroid=steroid,
        ),
        leukemia=leukemia.derivatives(
            y.leukemia, p.leukemia, kill=kill, lymphodepletion=lymphodepletion
        ),
        cure=cure.derivatives(
            y.cure,
            p.cure,
            growth_positive=leukemia.growth(y.leukemia.positive_marrow, p.leukemia),
            death_positive=kill.marrow + drug,
            growth_negative=leukemia.growth(y.leukemia.negative_marrow, p.leukemia),
            death_negative=p.leukemia.byst * kill.marrow + drug,
        ),
        b_cell=b_cell.derivatives(y.b_cell, p.b_cell, kill=kill, lymphodepletion=lymphodepletion),
        t_cell=t_cell.derivatives(y.t_cell, p.t_cell, car_t=cart.count(y.cart, p.cart)),
        cytokine=cytokine.derivatives(
            y.cytokine,
            p.cytokine,
            killed=kill.marrow * antigen.marrow
            + kill.blood * antigen.blood
            + kill.extramedullary * antigen.extramedullary,
            stimulated=signal.marrow * y.cart.effector_marrow
            + signal.blood * y.cart.effector_blood
            + signal.extramedullary * y.cart.effector_extramedullary,
            tocilizumab=tocilizumab.concentration(y.tocilizumab, p.tocilizumab),
            steroid=steroid,
        ),
        tocilizumab=tocilizumab.derivatives(y.tocilizumab, p.tocilizumab),
        dexamethasone=dexamethasone.derivatives(y.dexamethasone, p.dexamethasone),
    )


def memory_fraction(p: CarTSideRates) -> float:
    """Return the memory cells in blood from one infused cell."""
    return p.cart.engraftment * p.cart.f_M


def effector_fraction(p: CarTSideRates) -> float:
    """Return the effectors in blood from one infused cell."""
    return p.cart.engraftment * (1.0 - p.cart.f_M)


ROUTES = (
    route(
        "car_t",
        "cell",
        "infused CAR-T cells",
        {"cart.memory_blood": memory_fraction, "cart.effector_blood": effector_fraction},
    ),
    route(
        "lymphodepletion",
        "1",
        "conditioning; one unit is one of three daily courses of a standard depth",
        {"t_cell.lymphodepletion": 1.0},
    ),
    route("anti_cd20", "1", "anti-CD20 antibody; one unit is one dose", {"b_cell.anti_cd20": 1.0}),
    route("vaccine", "1", "vaccine; one unit is one vaccination", {"cart.vaccine": 1.0}),
    route("tocilizumab", "mg", "tocilizumab, intravenous", {"tocilizumab.central": 1.0}),
    route("dexamethasone", "mg", "dexamethasone", {"dexamethasone.amount": 1.0}),
)
IVIG = route("ivig", "g/L", "immunoglobulin, as the rise of IgG in serum", {"b_cell.igg": 1.0})
