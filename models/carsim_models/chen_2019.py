"""Cytokine release after doses of a T-cell engager, weaker at each dose (Chen et al. 2019).

Drug and tumor cells form synapses, here in proportion to the product of both as the paper proposes
for hematological tumors. They release the cytokine Cyt at a saturating rate, which the
exposure to the cytokine so far inhibits (IH). At the n-th dose the inhibition is K times stronger
than at the one before: a small first dose primes, and the next one releases less.

Give drug doses (route `drug`) and say from when on they are the second one, for example
``Window("n", value=2.0, start=168.0)``. The values of the release are the paper's as given in the
code of Van De Vyver et al. 2021 (10.1158/1078-0432.CCR-21-0470, GitHub
PKPD-coder/Modeling_Cytokine_Release), whose assumed pharmacokinetics and tumor these are.

Reference
    X. Chen et al. (2019). A modeling framework to characterize cytokine release upon
    T-cell-engaging bispecific antibody treatment: methodology and opportunities. Clin. Transl. Sci.
    12:600-608. doi:10.1111/cts.12662
"""

from carsim import Cited, Model, Parameters, State, observable, parameter, route, state
from carsim.math import power

CODE = "PKPD-coder/Modeling_Cytokine_Release, Chen (2018) CD3-bispecific repeat dosing model.txt"
PAPER = Cited("10.1111/cts.12662").at(f"as given in GitHub {CODE}")
REVIEW = Cited("10.1158/1078-0432.CCR-21-0470").at(f"Figure 2D-E, GitHub {CODE}")


class Plasma(State):
    C_pla: float = state(0.0, "ug/mL", "T-cell engager in plasma", REVIEW, atol=1e-12)
    Cyt: float = state(0.0, "pg/mL", "cytokine (IL-6) in plasma", REVIEW, atol=1e-6)
    AUC: float = state(0.0, "pg*hour/mL", "exposure to the cytokine so far", REVIEW, atol=1e-6)


class Rates(Parameters):
    CL: float = parameter(12.5, "mL/hour", "clearance of the drug", REVIEW)
    V: float = parameter(3100.0, "mL", "volume of the drug", REVIEW, lower=1.0)
    Tu: float = parameter(10.0, "cell/uL", "tumor cells", REVIEW)
    E_max: float = parameter(3590.0, "pg/mL/hour", "maximal release", PAPER)
    EC_50: float = parameter(10.0, "ug*cell/mL/uL", "synapses for half of it", PAPER, lower=1e-12)
    I_max: float = parameter(1.0, "1", "maximal inhibition", PAPER, upper=1.0)
    IC_50: float = parameter(
        182.0, "pg*hour/mL", "exposure for half of it, first dose", PAPER, lower=1e-12
    )
    K: float = parameter(2.83, "1", "priming: factor on its strength a dose", PAPER, lower=1.0)
    k_deg: float = parameter(0.18, "1/hour", "degradation of the cytokine", PAPER)
    n: float = parameter(1.0, "1", "number of the dose", REVIEW, lower=1.0)


@observable("pg*hour/mL", "exposure that halves the release, at this dose")
def half_inhibition(t: float, y: Plasma, p: Rates) -> float:
    return p.IC_50 / power(p.K, p.n - 1.0)


@observable("1", "release that the exposure so far leaves")
def release_left(t: float, y: Plasma, p: Rates) -> float:
    return 1.0 - p.I_max * y.AUC / (half_inhibition(t, y, p) + y.AUC)


def rhs(t: float, y: Plasma, p: Rates) -> Plasma:
    """Return the rates of change."""
    synapses = y.C_pla * p.Tu
    release = p.E_max * synapses / (p.EC_50 + synapses) * release_left(t, y, p)
    return Plasma(C_pla=-p.CL / p.V * y.C_pla, Cyt=release - p.k_deg * y.Cyt, AUC=y.Cyt)


MODEL = Model(
    "chen_2019",
    rhs,
    Plasma,
    Rates,
    time_unit="hour",
    observables=(half_inhibition, release_left),
    routes=(route("drug", "ug", "T-cell engager, intravenous", {"C_pla": lambda p: 1.0 / p.V}),),
    reference="doi:10.1111/cts.12662",
    area="CAR-T and leukemia",
)
