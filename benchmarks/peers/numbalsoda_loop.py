"""numbalsoda: LSODA or DOP853 called from a numba loop over the patients."""

from __future__ import annotations

import numpy as np
from numba import cfunc, njit
from numbalsoda import dop853, lsoda, lsoda_sig

from benchmarks.problem import Array, Problem


class Solver:
    """The whole ensemble inside one compiled function."""

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        body, names = problem.equations.lines(problem.equations.derivatives)
        body += [f"out[{i}] = {names[k]}" for i, k in enumerate(problem.equations.derivatives)]
        source = "def rhs(t, y, out, p):\n    " + "\n    ".join(body)
        namespace: dict[str, object] = {}
        exec("from math import exp, log, sqrt, tanh\n" + source, namespace)
        self.address = cfunc(lsoda_sig, error_model="numpy")(namespace["rhs"]).address
        call = {"lsoda": lsoda, "dop853": dop853}[method]

        @njit
        def run(address, y, p, times, rtol, atol):  # type: ignore[no-untyped-def]
            out = np.full((len(y), len(times), y.shape[1]), np.nan)
            for i in range(len(y)):
                solution, success = call(address, y[i], times, p[i], rtol, atol, 1_000_000)
                if success:
                    out[i] = solution
            return out

        self.run = run

    def solve(self, y0: Array, p: Array, rtol: float) -> Array:
        """Solutions at the saved points."""
        problem = self.problem
        solution = np.full((len(y0), len(problem.times), problem.n_states), np.nan)
        y, p = y0.copy(), p.copy()
        for segment, points in problem.pieces():
            for state, amount in segment.add.items():
                y[:, state] += amount
            for parameter, value in segment.set.items():
                p[:, parameter] = value
            times = problem.times[points]
            inside = times[times > segment.start]
            grid = np.concatenate(
                (
                    [segment.start],
                    inside,
                    [segment.stop] if not len(inside) or inside[-1] < segment.stop else [],
                )
            )
            done = self.run(self.address, y, p, grid, rtol, 1e-6 * rtol)
            first = len(inside) < len(times)
            solution[:, points] = done[:, (0 if first else 1) : (0 if first else 1) + len(times)]
            y = done[:, -1].copy()
        return solution
