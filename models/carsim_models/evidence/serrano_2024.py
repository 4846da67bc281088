"""Serrano et al. 2024: the influx of B cells above which leukemia dies out.

In the equilibrium without leukemia the CAR-T cells need B* = 1/(rho_C tau_C) B cells, which
leaves C* = (I_0/B* - 1/tau_B)/alpha CAR-T cells; leukemia declines there if alpha C* > rho_L, that
is above I_0 = (rho_L + 1/tau_B) B*. The paper's abstract states that there is such a threshold (a
transcritical bifurcation); the formula and the numbers are derived from its equations, with the
rates of Leon-Triana et al. 2021.
"""

import numpy as np

from carsim import Derived, Solver, load_model, simulate
from carsim.verification import Findings, check, near

FORMULA = Derived("equilibrium without leukemia and its stability, rates of Leon-Triana 2021")


@check("Critical influx of B cells", kind="closed form", model="serrano_2024")
def critical_influx() -> Findings:
    """Start at either equilibrium with a little leukemia, and see whether it grows.

    Near the equilibrium the leukemia grows at the rate rho_L - alpha C*, so that the influx at
    which it does not change follows from two runs on both sides by interpolation.
    """
    model = load_model("serrano_2024")
    b = 1.0 / (1.125e-11 * 14.0)
    critical = (0.03333333333 + 1.0 / 60.0) * b
    influx = critical * np.array([0.99, 1.01])
    car_t = (influx / b - 1.0 / 60.0) / 4.5e-11
    result = simulate(
        model,
        parameters={"I_0": influx},
        initial={"C": car_t, "L": np.full(2, 1.0), "B": np.full(2, b)},
        stop=100.0,
        save_at=[0.0, 100.0],
        outputs=["L", "critical_influx"],
        solver=Solver(rtol=1e-10),
    )
    leukemia = result["L"].to_numpy()
    rate = np.log(leukemia[:, 1] / leukemia[:, 0]) / 100.0
    found = influx[0] + (influx[1] - influx[0]) * rate[0] / (rate[0] - rate[1])
    return Findings(
        (
            near("critical influx", "cell/day", critical, found, FORMULA, relative=1e-4),
            near("growth 1 % below", "1/day", 0.0005, rate[0], FORMULA, relative=1e-2),
            near("growth 1 % above", "1/day", -0.0005, rate[1], FORMULA, relative=1e-2),
            near(
                "critical influx, as the model reports it",
                "cell/day",
                3.1746e8,
                result["critical_influx"].to_numpy()[0, 0],
                FORMULA,
                relative=1e-4,
            ),
        )
    )
