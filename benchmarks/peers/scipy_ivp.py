"""SciPy `solve_ivp` with the right-hand side and the Jacobian compiled by numba."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.peers._numba import compile_function
from benchmarks.problem import Array, Problem

IMPLICIT = ("LSODA", "BDF", "Radau")


class Solver:
    """One call of `solve_ivp` a segment."""

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        self.method = method
        self.derivatives = compile_function(problem, jacobian=False)
        self.jacobian = compile_function(problem, jacobian=True)

    def solve(self, y0: Array, p: Array, rtol: float) -> Array:
        """Solutions at the saved points."""
        problem = self.problem
        n = problem.n_states
        solution = np.full((len(y0), len(problem.times), n), np.nan)
        for i, start in enumerate(y0):
            y, parameters = start.copy(), p[i].copy()

            def rhs(t: float, y: Array, parameters: Array = parameters) -> Array:
                out = np.empty(n)
                self.derivatives(t, y, parameters, out)
                return out

            def jacobian(t: float, y: Array, parameters: Array = parameters) -> Array:
                out = np.empty((n, n))
                self.jacobian(t, y, parameters, out)
                return out

            for segment, points in problem.pieces():
                for state, amount in segment.add.items():
                    y[state] += amount
                for parameter, value in segment.set.items():
                    parameters[parameter] = value
                times = problem.times[points]
                ends = times[-1] if len(times) and times[-1] >= segment.stop else segment.stop
                done = solve_ivp(
                    rhs,
                    (segment.start, ends),
                    y,
                    method=self.method,
                    t_eval=np.append(times, ends) if not len(times) or times[-1] < ends else times,
                    rtol=rtol,
                    atol=1e-6 * rtol,
                    **({"jac": jacobian} if self.method in IMPLICIT else {}),
                )
                if not done.success:
                    break
                solution[i, points] = done.y.T[: len(times)]
                y = done.y[:, -1].copy()
        return solution
