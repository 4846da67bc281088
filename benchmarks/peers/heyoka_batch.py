"""heyoka: adaptive Taylor method, as many patients at once as the vector unit has lanes."""

from __future__ import annotations

import heyoka as hy
import numpy as np

from benchmarks.equations import PYTHON
from benchmarks.problem import Array, Problem

# A state is never below the guard that keeps powers of vanished pools finite, so the guard can be
# left out: it is not analytic, and would cost the Taylor method a branch.
PRINTERS = PYTHON | {
    "maximum": "maximum({0}, {1})",
    "minimum": "select(lt({0}, {1}), {0}, {1})",
    "where": "select({0}, {1}, {2})",
    "less": "lt({0}, {1})",
    "both": "logical_and([{0}, {1}])",
    "either": "logical_or([{0}, {1}])",
}


def maximum(a: hy.expression, b: object) -> hy.expression:
    """Larger of two; the guard against vanished pools is left out."""
    if isinstance(b, float) and b <= 1e-300:
        return a
    return hy.select(hy.gt(a, b), a, b)


class Solver:
    """One integrator of `lanes` patients, compiled for one tolerance and kept."""

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        self.lanes = hy.recommended_simd_size() if method == "batch" else int(method)
        self.block = self.lanes
        equations = problem.equations
        states = hy.make_vars(*(f"y{i}" for i in range(problem.n_states)))
        body, names = equations.lines(
            equations.derivatives, printers=PRINTERS, parameter="par[{}]".format, time="time"
        )
        namespace = {
            name: getattr(hy, name)
            for name in (
                "exp",
                "log",
                "sqrt",
                "tanh",
                "select",
                "lt",
                "gt",
                "logical_and",
                "logical_or",
                "par",
                "time",
            )
        }
        namespace |= {"y": states, "maximum": maximum}
        exec("\n".join(body), namespace)
        self.system = [
            (states[i], hy.expression(0.0) + eval(names[k], namespace))
            for i, k in enumerate(equations.derivatives)
        ]
        self.integrators: dict[float, hy.taylor_adaptive_batch] = {}

    def solve(self, y0: Array, p: Array, rtol: float) -> Array:
        """Solutions at the saved points."""
        problem, lanes = self.problem, self.lanes
        if rtol not in self.integrators:
            self.integrators[rtol] = hy.taylor_adaptive_batch(
                self.system,
                np.zeros((problem.n_states, lanes)),
                pars=np.zeros((len(problem.equations.parameters), lanes)),
                tol=rtol,
                # Unrolled code is faster but takes minutes to compile for large systems.
                compact_mode=problem.n_states > 24,
            )
        integrator = self.integrators[rtol]
        solution = np.full((len(y0), len(problem.times), problem.n_states), np.nan)
        for begin in range(0, len(y0), lanes):
            patients = np.minimum(np.arange(begin, begin + lanes), len(y0) - 1)
            used = min(lanes, len(y0) - begin)
            integrator.state[:] = y0[patients].T
            integrator.pars[:] = p[patients].T
            for segment, points in problem.pieces():
                for state, amount in segment.add.items():
                    integrator.state[state] += amount
                for parameter, value in segment.set.items():
                    integrator.pars[parameter] = value
                integrator.set_time(segment.start)
                times = problem.times[points]
                inside = times[times > segment.start]
                last = [segment.stop] if not len(inside) or inside[-1] < segment.stop else []
                grid = np.concatenate(([segment.start], inside, last))
                _, done = integrator.propagate_grid(np.tile(grid[:, None], (1, lanes)))
                first = 0 if len(inside) < len(times) else 1
                solution[begin : begin + used, points] = np.moveaxis(
                    done[first : first + len(times), :, :used], 2, 0
                )
        return solution
