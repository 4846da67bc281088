"""Fludarabine, as F-ara-A in plasma, before cell transplantation (Langenhorst et al. 2019).

Three compartments, linear. Clearance is the sum of a non-renal part and a share of the glomerular
filtration rate; clearances scale with body weight to the power 0.75, volumes with body weight.
Fludarabine phosphate turns into F-ara-A so fast that the dose enters the central compartment as it
is given; whether the paper counts it in mg of the phosphate or of F-ara-A we could not read.

Between-patient variability, log-normal: 23 % for all clearances together (`f_CL`), 48 % for all
volumes together (`f_V`). It comes with an occasion's 12 and 31 %, and a residual of 6.3 %.

Non-renal clearance, share and volumes are in the abstract; we have taken Q2, Q3 and the
variability from nlmixr2lib's transcription of Table 2 (Langenhorst_2019_fludarabine.R).

Time is in hours. `eGFR` is in mL/min (per 1.73 m2), as the clinic has it; in the paper it is at
most 140.

Reference
    J. B. Langenhorst et al. (2019). Population pharmacokinetics of fludarabine in children and
    adults during conditioning prior to allogeneic hematopoietic cell transplantation.
    Clin. Pharmacokinet. 58:627-637. doi:10.1007/s40262-018-0715-9
"""

from carsim import (
    Cited,
    Derived,
    Model,
    Parameters,
    State,
    convert,
    observable,
    parameter,
    route,
    state,
)
from carsim.math import power

PAPER = Cited("10.1007/s40262-018-0715-9")
ABSTRACT = PAPER.at("abstract")
TABLE = PAPER.at("Table 2")
TYPICAL = Derived("1 is the typical patient")


class Plasma(State):
    central: float = state(0.0, "mg", "F-ara-A, central", atol=1e-6)
    peripheral: float = state(0.0, "mg", "F-ara-A, peripheral", atol=1e-6)
    deep: float = state(0.0, "mg", "F-ara-A, second peripheral", atol=1e-6)


class Rates(Parameters):
    BW: float = parameter(
        70.0,
        "kg",
        "body weight",
        PAPER.at("weight to which values refer"),
        plausible=(4.3, 130.0),
        lower=0.1,
    )
    eGFR: float = parameter(
        110.0,
        "mL/min",
        "glomerular filtration rate per 1.73 m2",
        PAPER.at("Table 1, median of adults"),
        plausible=(25.0, 140.0),
    )
    CL_nonrenal: float = parameter(3.24, "L/hour", "non-renal clearance at 70 kg", ABSTRACT)
    slope: float = parameter(0.782, "1", "renal clearance over eGFR at 70 kg", ABSTRACT)
    V1: float = parameter(39.0, "L", "central volume at 70 kg", ABSTRACT, lower=1e-3)
    V2: float = parameter(20.0, "L", "peripheral volume at 70 kg", ABSTRACT, lower=1e-3)
    V3: float = parameter(50.0, "L", "second peripheral volume at 70 kg", ABSTRACT, lower=1e-3)
    Q2: float = parameter(8.6, "L/hour", "exchange with the peripheral volume at 70 kg", TABLE)
    Q3: float = parameter(3.8, "L/hour", "exchange with the second one at 70 kg", TABLE)
    f_CL: float = parameter(
        1.0, "1", "this patient's clearances over typical", TYPICAL, plausible=(0.64, 1.56)
    )
    f_V: float = parameter(
        1.0, "1", "this patient's volumes over typical", TYPICAL, plausible=(0.41, 2.44), lower=1e-3
    )
    BW_ref: float = parameter(
        70.0, "kg", "weight to which values refer", PAPER.at("allometric scaling"), lower=1.0
    )


def renal(p: Rates) -> float:
    """Return the renal clearance (L/hour) at the weight of reference."""
    return p.slope * convert(p.eGFR, "mL/min", "L/hour")


def scaled(p: Rates, at_70_kg: float) -> float:
    """Return a clearance of this patient (L/hour) from that at 70 kg."""
    return p.f_CL * power(p.BW / p.BW_ref, 0.75) * at_70_kg


def rhs(t: float, y: Plasma, p: Rates) -> Plasma:
    """Return the rates of change."""
    size = p.f_V * p.BW / p.BW_ref
    c = y.central / (size * p.V1)
    lost = scaled(p, p.CL_nonrenal + renal(p)) * c
    shallow = scaled(p, p.Q2) * (c - y.peripheral / (size * p.V2))
    deep = scaled(p, p.Q3) * (c - y.deep / (size * p.V3))
    return Plasma(central=-lost - shallow - deep, peripheral=shallow, deep=deep)


@observable("mg/L", "F-ara-A in plasma")
def concentration(t: float, y: Plasma, p: Rates) -> float:
    return y.central / (p.f_V * p.BW / p.BW_ref * p.V1)


@observable("L/hour", "total clearance")
def clearance(t: float, y: Plasma, p: Rates) -> float:
    return scaled(p, p.CL_nonrenal + renal(p))


@observable("1", "renal share of the clearance")
def renal_share(t: float, y: Plasma, p: Rates) -> float:
    return renal(p) / (p.CL_nonrenal + renal(p))


MODEL = Model(
    "langenhorst_2019",
    rhs,
    Plasma,
    Rates,
    time_unit="hour",
    observables=(concentration, clearance, renal_share),
    routes=(route("fludarabine", "mg", "fludarabine, intravenous", {"central": 1.0}),),
    reference="doi:10.1007/s40262-018-0715-9",
    area="drugs",
)
