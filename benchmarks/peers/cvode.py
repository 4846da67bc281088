"""CVODE (BDF) by scikit-sundae, right-hand side and Jacobian compiled by numba."""

from __future__ import annotations

import numpy as np
from sksundae.cvode import CVODE

from benchmarks.peers._numba import compile_function
from benchmarks.problem import Array, Problem


class Solver:
    """One solver object for all patients; the parameters are its user data."""

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        self.method = method
        self.derivatives = compile_function(problem, jacobian=False)
        self.jacobian = compile_function(problem, jacobian=True)

    def solve(self, y0: Array, p: Array, rtol: float) -> Array:
        """Solutions at the saved points."""
        problem = self.problem
        derivatives, jacobian = self.derivatives, self.jacobian

        # In a tuple, because CVODE's wrapper tests its user data for truth.
        def rhs(t: float, y: Array, yp: Array, data: tuple[Array]) -> None:
            derivatives(t, y, data[0], yp)

        def jac(t: float, y: Array, yp: Array, out: Array, data: tuple[Array]) -> None:
            jacobian(t, y, data[0], out)

        solution = np.full((len(y0), len(problem.times), problem.n_states), np.nan)
        for i, start in enumerate(y0):
            y, parameters = start.copy(), p[i].copy()
            solver = CVODE(
                rhs,
                userdata=(parameters,),
                method=self.method,
                rtol=rtol,
                atol=1e-6 * rtol,
                max_num_steps=1_000_000,
                jacfn=jac,
            )
            for segment, points in problem.pieces():
                for state, amount in segment.add.items():
                    y[state] += amount
                for parameter, value in segment.set.items():
                    parameters[parameter] = value
                times = problem.times[points]
                inside = times[times > segment.start]
                last = [segment.stop] if not len(inside) or inside[-1] < segment.stop else []
                grid = np.concatenate(([segment.start], inside, last))
                done = solver.solve(grid, y)
                if not done.success:
                    break
                first = 0 if len(inside) < len(times) else 1
                solution[i, points] = done.y[first : first + len(times)]
                y = done.y[-1].copy()
        return solution
