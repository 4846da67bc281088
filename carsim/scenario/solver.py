"""How the equations are solved: the one place where the defaults stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from carsim.engine.tableaus import METHODS
from carsim.errors import ScenarioError, did_you_mean


@dataclass(frozen=True)
class Solver:
    """Method and tolerances.

    Parameters
    ----------
    method : str
        ``"rodas5p"`` (order 5, stiff; the default), ``"rodas4"`` (order 4, stiff) or
        ``"dormand_prince"`` (order 5, explicit; for models that are not stiff, and as a
        cross-check).
    rtol : float
        Relative error allowed in a step.
    atol_scale : float
        Factor on the absolute tolerances, which are a property of each state (``atol=`` in its
        declaration). Smaller where a state that nearly vanishes decides what comes later.
    max_step : float, model time unit, optional
        Largest step; None for no limit. Give a part of the width of a smooth burst in time
        (``exp(-((t - p.t0) / p.width) ** 2)``) that nothing announces, as a step may pass over it.
        Doses, windows and comparisons of the time are landed on anyway.
    max_steps : int
        Steps after which a patient is given up.
    threads : int, optional
        Threads; None for all cores. Results do not depend on it.
    block_size : int, optional
        Patients whose therapy is laid out in memory at a time; None for as many as fit well.
        Results do not depend on it.
    """

    method: str = "rodas5p"
    rtol: float = 1e-5
    atol_scale: float = 1.0
    max_step: float | None = None
    max_steps: int = 100_000
    threads: int | None = None
    block_size: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ScenarioError(
                f"solver: method = {self.method!r} is none of {', '.join(METHODS)}."
                + did_you_mean(str(self.method), METHODS)
            )
        if not _is_number(self.rtol) or not 1e-13 <= self.rtol <= 0.1:
            raise ScenarioError(
                f"solver: rtol = {self.rtol!r}. Give a number from 1e-13 (rounding) to 0.1; "
                f"1e-5 is the default."
            )
        object.__setattr__(self, "rtol", float(self.rtol))
        if not _is_number(self.atol_scale) or not 1e-12 <= self.atol_scale <= 1e12:
            raise ScenarioError(
                f"solver: atol_scale = {self.atol_scale!r}. Give a factor from 1e-12 to 1e12; 1 is "
                f"the default, below 1 is stricter."
            )
        object.__setattr__(self, "atol_scale", float(self.atol_scale))
        if self.max_step is not None:
            if not _is_number(self.max_step) or self.max_step <= 0.0:
                raise ScenarioError(
                    f"solver: max_step = {self.max_step!r}. Give a time above 0, or leave it out."
                )
            object.__setattr__(self, "max_step", float(self.max_step))
        for name in ("max_steps", "block_size", "threads"):
            value = getattr(self, name)
            if name != "max_steps" and value is None:
                continue
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < 1:
                also = "" if name == "max_steps" else ", or leave it out"
                raise ScenarioError(
                    f"solver: {name} = {value!r}. Give a whole number of 1 or more{also}."
                )
            object.__setattr__(self, name, int(value))


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]
