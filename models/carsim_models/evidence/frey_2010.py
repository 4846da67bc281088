"""Frey et al. 2010: exposure at steady state that the label gives from this analysis.

The label (Actemra, section 12.3) has means over the patients of the analysis for 4 and 8 mg/kg
every four weeks. Here 1000 women and men are drawn with the published variability; their weights
are our assumption (log-normal about the median of 70 kg, within the 38 to 150 kg of the patients).
"""

import numpy as np

from carsim import AreaUnder, Derived, Infusion, Maximum, load_model, simulate
from carsim.verification import Findings, check, near
from carsim_models.frey_2010 import population

LABEL = Derived("US label of Actemra: predicted by this analysis for its patients, means")
HOUR = 1.0 / 24.0
WEEKS_4 = 28.0
# Dose (mg/kg); AUC (mg*hour/L), trough and Cmax (mg/L); their accumulation since the first dose.
PUBLISHED = (
    (4.0, 13000.0, 1.49, 88.3, 1.11, 1.96, 1.02),
    (8.0, 35000.0, 9.74, 183.0, 1.22, 2.35, 1.06),
)


@check(
    "Exposure at steady state, 4 and 8 mg/kg every four weeks",
    kind="reproduction",
    model="frey_2010",
)
def exposure() -> Findings:
    patients = 1000
    weight = np.clip(
        70.0 * np.exp(0.25 * np.random.default_rng(1).standard_normal(patients)), 38.0, 150.0
    )
    last = 11.0 * WEEKS_4
    rows = []
    for dose, *published in PUBLISHED:
        result = simulate(
            load_model("frey_2010"),
            population=population(patients, seed=1),
            therapy={
                "tocilizumab": Infusion(
                    "tocilizumab", 0.0, amount=dose * weight, duration=HOUR, every=WEEKS_4
                )
            },
            stop=last + WEEKS_4,
            save_at=[WEEKS_4 - 1e-6, last + WEEKS_4 - 1e-6],
            outputs=["concentration"],
            metrics={
                "area": AreaUnder("concentration", last, last + WEEKS_4),
                "peak": Maximum("concentration", last, last + WEEKS_4),
                "first_area": AreaUnder("concentration", 0.0, WEEKS_4),
                "first_peak": Maximum("concentration", 0.0, WEEKS_4),
            },
        )
        first_trough, trough = result["concentration"].mean("patient").to_numpy()
        area, peak = 24.0 * result["area"].mean(), result["peak"].mean()
        found = (
            area,
            trough,
            peak,
            area / (24.0 * result["first_area"].mean()),
            trough / first_trough,
            peak / result["first_peak"].mean(),
        )
        names = (
            ("AUC of four weeks", "mg*hour/L", 0.1),
            ("trough", "mg/L", 0.15),
            ("Cmax", "mg/L", 0.1),
            ("accumulation of AUC", "1", 0.05),
            ("accumulation of the trough", "1", 0.1),
            ("accumulation of Cmax", "1", 0.05),
        )
        for (name, unit, tolerance), theirs, ours in zip(names, published, found, strict=True):
            rows.append(
                near(f"{name}, {dose:g} mg/kg", unit, theirs, ours, LABEL, relative=tolerance)
            )
    return Findings(tuple(rows))
