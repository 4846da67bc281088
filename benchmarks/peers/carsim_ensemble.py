"""carsim itself: the engine behind `simulate` (arrays in, arrays out), or `simulate` as it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benchmarks.cases import CASES
from benchmarks.problem import Array, Problem
from carsim.scenario import Solver as Settings
from carsim.scenario import prepare
from carsim.simulation import simulate, solve


class Solver:
    """A method of the engine; with ``simulate-`` in front, the whole way to a Dataset."""

    model_units = True

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        self.case = CASES[problem.name]
        self.whole = method.startswith("simulate-")
        self.method = method.removeprefix("simulate-")
        self.prepared: dict[int, Any] = {}

    def solve(self, y0: Array, p: Array, rtol: float) -> Array:
        """Solutions at the saved points, in the model's units."""
        n = len(y0)
        settings = Settings(method=self.method, rtol=rtol, threads=1)
        if n not in self.prepared:
            self.prepared[n] = prepare(self.case.scenario(n))
        prepared = self.prepared[n]
        scenario = dataclasses.replace(prepared.scenario, solver=settings)
        if self.whole:
            result = simulate(scenario)
            names = prepared.model.state_names
            return np.stack([result[name].to_numpy() for name in names], axis=-1)
        # Peers know neither extinction nor a tolerance of each state: the same problem for all.
        prepared = dataclasses.replace(
            prepared,
            scenario=scenario,
            atol=1e-6 * rtol * self.problem.scale,
            floors=np.full(len(prepared.floors), -np.inf),
        )
        return np.moveaxis(solve(prepared).saved, 0, 2)
