"""Fatehi Chenar et al. 2018: the first hours as COPASI computed them from the curated file.

The rows are those of a COPASI run (LSODA, rtol 1e-6, atol 1e-12) of BIOMD0000000848, published in
the repository ModelEngineering/ExplorerSB (autogen_report_for_task1.csv).
"""

import numpy as np

from carsim import Derived, Solver, load_model, simulate
from carsim.verification import Curve, Findings, check, near

COPASI = Derived("COPASI run of BIOMD0000000848 in ModelEngineering/ExplorerSB, rtol 1e-6")
TIMES = (0.03, 0.3, 0.6)
ROWS = {
    "T": (0.825914101575216, 0.19941245826552523, 0.08580660246530315),
    "I": (0.07066939489740155, 0.47034996041845156, 0.3327359444113734),
    "F1": (0.0010303842617341158, 0.0537762768979829, 0.07547755943249897),
    "F2": (0.01125227930157991, 0.07169887951331369, 0.10960657588537986),
    "R": (0.0022380779290854104, 0.12406753808816025, 0.18798097087771337),
    "A": (0.15605272048710078, 0.5524135100738177, 0.6333647524441484),
    "N": (0.10274406973511281, 0.13207895202608166, 0.17608752734486177),
    "E": (0.20262971807374955, 0.24500524063180845, 0.3097581211456319),
    "V": (0.4012053343900645, 1.1461241846481762, 1.1601116040073516),
}


@check("First hours as in COPASI", kind="reproduction", model="fatehi_chenar_2018")
def copasi() -> Findings:
    fine = np.linspace(0.0, 0.6, 61)
    result = simulate(
        load_model("fatehi_chenar_2018"),
        stop=0.6,
        save_at=fine,
        outputs=list(ROWS),
        solver=Solver(rtol=1e-10),
    )
    rows = [
        near(f"{name} at t = {t:g}", "1", published, found, COPASI, relative=1e-5)
        for name, values in ROWS.items()
        for t, published, found in zip(
            TIMES, values, result[name].to_numpy()[[3, 30, 60]], strict=True
        )
    ]
    shown = ("T", "I", "R", "V", "A")
    curve = Curve(
        "Cells, virus and antibody at the onset of infection",
        "time (day)",
        "relative amount",
        {name: (fine, result[name].to_numpy()) for name in shown},
        {f"{name}, COPASI": (np.array(TIMES), np.array(ROWS[name])) for name in shown},
    )
    return Findings(tuple(rows), (curve,))
