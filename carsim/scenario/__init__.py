"""What is simulated, checked; and the arrays that it becomes."""

from __future__ import annotations

from carsim.scenario.prepare import Block, Prepared, prepare, regular_times
from carsim.scenario.scenario import Scenario
from carsim.scenario.solver import Solver

__all__ = ["Block", "Prepared", "Scenario", "Solver", "prepare", "regular_times"]
