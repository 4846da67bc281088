"""What is simulated, checked; and the arrays that it becomes."""

from __future__ import annotations

from carsim.scenario.keep import Keep, keep_of, regular_times
from carsim.scenario.names import result_names
from carsim.scenario.prepare import Block, Prepared, prepare
from carsim.scenario.scenario import Scenario
from carsim.scenario.solver import Solver

__all__ = [
    "Block",
    "Keep",
    "Prepared",
    "Scenario",
    "Solver",
    "keep_of",
    "prepare",
    "regular_times",
    "result_names",
]
