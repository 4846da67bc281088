"""Cytokine release: activated macrophages, IL-6, interferon gamma, CRP and ferritin.

Macrophages are activated by the flux of killed cells and by the interferon that stimulated
effectors make; they make IL-6 (cubic in the activated share) and ferritin. After activation they
rest: refractory macrophages are not activated again for a while (k_Q), which ends the release while
CAR-T cells still expand and blunts a second one (the attenuation of Chen 2019, who saw it on
repeated dosing of a T-cell engager; no number of it is from there). Tocilizumab blocks the
receptor, which clears IL-6: IL-6 rises and its signal falls. CRP follows the signal.

The grade of cytokine release is read off the signal by thresholds with which the grades are as
frequent as in a trial. A clinical grade (CARTOX, ASTCT) is fever, blood pressure and oxygen, which
the model does not have.
"""

from carsim import Assumed, Derived, Parameters, State, parameter, state
from carsim.math import where
from carsim_models.cart_hbv.sources import COURSES, HARDIANSYAH, TUNED

GRADE = Derived("quantiles of the signal at the grades of Hay 2017, models/calibration/grades.py")
MARKER = Assumed("half-life of the marker as remembered, unverified")


class Cytokine(State):
    macrophage: float = state(0.0, "1", "share of macrophages that are activated", atol=1e-6)
    refractory: float = state(0.0, "1", "share of macrophages that rest", atol=1e-6)
    il6: float = state(3.0, "pg/mL", "interleukin 6", atol=1e-3)
    ifn_gamma: float = state(0.0, "pg/mL", "interferon gamma", atol=1e-3)
    crp: float = state(2.75, "mg/L", "C-reactive protein", atol=1e-4)
    ferritin: float = state(200.0, "ug/L", "ferritin", atol=1e-2)


class CytokineRates(Parameters):
    k_on: float = parameter(1.5, "1/day", "activation of macrophages", TUNED, plausible=(0.5, 3.0))
    k_off: float = parameter(0.5, "1/day", "end of activation", TUNED)
    k_Q: float = parameter(
        0.109, "1/day", "end of their rest", COURSES, plausible=(0.03, 0.5), lower=1e-3
    )
    w_F: float = parameter(
        0.7, "1", "share of activation by killed cells, the rest by interferon", TUNED, upper=1.0
    )
    F_50: float = parameter(
        3.15e10,
        "cell/day",
        "killed cells for half activation",
        COURSES,
        plausible=(5e9, 1e11),
        lower=1.0,
    )
    I_50: float = parameter(200.0, "pg/mL", "interferon for half activation", TUNED, lower=1e-6)
    p_6: float = parameter(
        8.0e4, "pg/mL/day", "IL-6 from fully activated macrophages", TUNED, plausible=(2e4, 2e5)
    )
    d_6: float = parameter(
        4.0, "1/day", "clearance of IL-6", Derived("3.96 of Hardiansyah, rounded")
    )
    b_6: float = parameter(3.0, "pg/mL", "normal IL-6", Assumed("Hardiansyah reads 1 to 1.7"))
    K_6: float = parameter(
        1000.0, "pg/mL", "IL-6 for half the signal", TUNED, plausible=(300.0, 3000.0), lower=1e-6
    )
    p_I: float = parameter(4.0e-7, "pg/mL/day/cell", "interferon from a stimulated effector", TUNED)
    d_I: float = parameter(
        1.51, "1/day", "clearance of interferon", HARDIANSYAH.at("fixed parameters")
    )
    d_C: float = parameter(0.87, "1/day", "clearance of CRP", MARKER)
    CRP_0: float = parameter(2.0, "mg/L", "CRP without signal", Assumed("normal"))
    CRP_max: float = parameter(250.0, "mg/L", "rise of CRP at full signal", TUNED)
    d_F: float = parameter(0.3, "1/day", "clearance of ferritin", MARKER)
    Fer_0: float = parameter(200.0, "ug/L", "ferritin without activation", Assumed("normal"))
    Fer_max: float = parameter(2.0e4, "ug/L", "rise of ferritin at full activation", TUNED)
    x_M: float = parameter(0.7, "1", "largest fall of activation by steroid", TUNED, upper=1.0)
    x_I: float = parameter(0.5, "1", "largest fall of interferon by steroid", TUNED, upper=1.0)
    x_6: float = parameter(0.6, "1", "largest fall of IL-6 by steroid", TUNED, upper=1.0)
    x_T: float = parameter(0.8, "1", "receptor term of the clearance of IL-6", TUNED)
    K_T: float = parameter(
        3.0, "mg/L", "tocilizumab for half the block of clearance", TUNED, lower=1e-6
    )
    K_R: float = parameter(
        2.0, "mg/L", "tocilizumab that halves the potency of IL-6", TUNED, lower=1e-6
    )
    grade_1: float = parameter(0.241, "1", "IL-6 signal at which grade 1 begins", GRADE, upper=1.0)
    grade_2: float = parameter(0.439, "1", "IL-6 signal at which grade 2 begins", GRADE, upper=1.0)
    grade_3: float = parameter(0.681, "1", "IL-6 signal at which grade 3 begins", GRADE, upper=1.0)
    grade_4: float = parameter(0.728, "1", "IL-6 signal at which grade 4 begins", GRADE, upper=1.0)


def initial(p: CytokineRates) -> Cytokine:
    """Return the steady state without CAR-T cells."""
    return Cytokine(
        macrophage=0.0,
        refractory=0.0,
        il6=p.b_6,
        ifn_gamma=0.0,
        crp=p.CRP_0 + p.CRP_max * p.b_6 / (p.b_6 + p.K_6),
        ferritin=p.Fer_0,
    )


def blockade(p: CytokineRates, tocilizumab: float) -> float:
    """Return the factor by which `tocilizumab` (mg/L) lowers the potency of IL-6, 1 without."""
    return 1.0 + tocilizumab / p.K_R


def il6_signal(y: Cytokine, p: CytokineRates, tocilizumab: float) -> float:
    """Return the IL-6 receptor signal, 0 to 1, under `tocilizumab` (mg/L)."""
    return y.il6 / (y.il6 + p.K_6 * blockade(p, tocilizumab))


def crs_grade(p: CytokineRates, signal: float) -> float:
    """Return the grade of cytokine release: how many thresholds the IL-6 `signal` reaches."""
    mild = where(signal >= p.grade_1, 1.0, 0.0) + where(signal >= p.grade_2, 1.0, 0.0)
    severe = where(signal >= p.grade_3, 1.0, 0.0) + where(signal >= p.grade_4, 1.0, 0.0)
    return mild + severe


def derivatives(
    y: Cytokine,
    p: CytokineRates,
    *,
    killed: float,
    stimulated: float,
    tocilizumab: float,
    steroid: float,
) -> Cytokine:
    """Return the rates of change.

    Parameters
    ----------
    y, p : Cytokine, CytokineRates
        States and parameters.
    killed : float
        CD19+ cells killed per day, cell/day.
    stimulated : float
        Effectors times antigen signal, cell.
    tocilizumab : float
        Concentration in plasma, mg/L.
    steroid : float
        Effect of dexamethasone, 0 to 1.
    """
    drive = p.w_F * killed / (killed + p.F_50)
    drive = drive + (1.0 - p.w_F) * y.ifn_gamma / (y.ifn_gamma + p.I_50)
    m = y.macrophage
    free = (tocilizumab + p.K_T) / ((1.0 + p.x_T) * tocilizumab + p.K_T)
    signal = il6_signal(y, p, tocilizumab)
    return Cytokine(
        macrophage=p.k_on * drive * (1.0 - m - y.refractory) * (1.0 - p.x_M * steroid)
        - p.k_off * m,
        refractory=p.k_off * m - p.k_Q * y.refractory,
        il6=p.d_6 * (p.b_6 - y.il6 * free) + p.p_6 * m * m * m * (1.0 - p.x_6 * steroid),
        ifn_gamma=p.p_I * stimulated * (1.0 - p.x_I * steroid) - p.d_I * y.ifn_gamma,
        crp=p.d_C * (p.CRP_0 + p.CRP_max * signal - y.crp),
        ferritin=p.d_F * (p.Fer_0 + p.Fer_max * m * m - y.ferritin),
    )
