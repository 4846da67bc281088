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
        Relative error allowed in a step. The absolute part is a property of each state.
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
