"""One step of any tableau in plain linear algebra: the readable twin of the compiled stepper."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsim.engine.tableaus import Tableau

Array = NDArray[np.float64]


class Step(NamedTuple):
    """What one step gives: the new state, its error, and the course in between."""

    start: Array
    new: Array
    error: Array
    bulges: Array

    def dense(self, theta: float) -> Array:
        """The state at a fraction of the step."""
        k1, k2, k3 = self.bulges
        bulge = k1 + theta * (k2 + theta * k3)
        course = (1 - theta) * self.start + theta * (self.new + (1 - theta) * bulge)
        return np.asarray(course, dtype=np.float64)


def step(
    tableau: Tableau,
    f: Callable[[float, Array], Array],
    jacobian: Callable[[float, Array], Array],
    time_derivative: Callable[[float, Array], Array],
    t: float,
    y: Array,
    h: float,
) -> Step:
    """Hairer & Wanner II, section IV.7, equations (7.25): stage by stage, with a dense solve."""
    n = len(y)
    u = np.zeros((tableau.stages, n))
    if tableau.implicit:
        w = np.eye(n) / tableau.gamma - h * jacobian(t, y)
        ft = time_derivative(t, y)
    for i in range(tableau.stages):
        slope = h * f(t + tableau.c[i] * h, y + tableau.a[i] @ u)
        if tableau.implicit:
            slope = np.linalg.solve(w, slope + tableau.coupling[i] @ u + h * h * tableau.d[i] * ft)
        u[i] = slope
    return Step(y, y + tableau.b @ u, tableau.error @ u, tableau.dense @ u)
