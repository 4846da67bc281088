"""A patient whose laboratory values are whatever is wanted: parameters, for covariates to move."""

from __future__ import annotations

from carsim import Assumed, Model, Parameters, State, observable, parameter, state

WHY = Assumed("a test of carsim")


class Body(State):
    drug: float = state(0.0, "mg", "drug that does nothing")


class Values(Parameters):
    dna: float = parameter(0.0, "IU/mL", "HBV DNA", WHY)
    antigen: float = parameter(0.0, "IU/mL", "HBsAg", WHY)
    enzyme: float = parameter(20.0, "U/L", "ALT", WHY)
    cells: float = parameter(1e11, "cell", "leukemic cells", WHY)


def rhs(t: float, y: Body, p: Values) -> Body:
    return Body(drug=0.0 * y.drug)


@observable("IU/mL", "HBV DNA in serum")
def hbv_dna(t: float, y: Body, p: Values) -> float:
    return p.dna


@observable("IU/mL", "HBsAg in serum")
def hbsag(t: float, y: Body, p: Values) -> float:
    return p.antigen


@observable("U/L", "ALT")
def alt(t: float, y: Body, p: Values) -> float:
    return p.enzyme


@observable("cell", "leukemia with CD19")
def leukemia_cd19_positive(t: float, y: Body, p: Values) -> float:
    return p.cells


@observable("cell", "leukemia without CD19")
def leukemia_cd19_negative(t: float, y: Body, p: Values) -> float:
    return 0.0 * p.cells


MODEL = Model(
    "lab_values",
    rhs,
    Body,
    Values,
    observables=(hbv_dna, hbsag, alt, leukemia_cd19_positive, leukemia_cd19_negative),
)
