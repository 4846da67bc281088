"""A sweep: one scenario, a design of cells, the same virtual patients in every cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from carsim.design import Axis, Design
from carsim.errors import ScenarioError
from carsim.names import free_name
from carsim.scenario import Keep, Scenario, keep_of, result_names
from carsim.sweep.axes import check_axis, ends_of, is_membership, is_vector, replaced

MOST_TRAJECTORIES = 10**9


@dataclass(frozen=True)
class Sweep:
    """What is simulated in every cell, and which cells there are.

    All cells have the same virtual patients (common random numbers), so that differences between
    cells are those of the treatment and not of the draw.

    Parameters
    ----------
    scenario : Scenario
        Model, values, therapy, population and solver; its metrics and endpoints become variables of
        the result.
    design : Design
        Cells: a grid, a list, or a random, Latin hypercube or Sobol design.
    title : str, optional
        Words for the result.
    config : str, optional
        Text of the config file that this was read from.
    overrides : sequence of str, optional
        What was changed in that file, as ``path=value``.

    Raises
    ------
    ScenarioError
        An unknown path, a value that the scenario refuses, an axis named like a variable.
    """

    scenario: Scenario
    design: Design
    title: str = ""
    config: str = field(default="", repr=False)
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "overrides", tuple(self.overrides))
        title: object = self.title
        if not isinstance(title, str):
            raise ScenarioError(
                f"sweep: title is a {type(title).__name__}; give a text. Endpoints belong to the "
                f"scenario: Scenario(..., endpoints={{...}})."
            )
        if not self.scenario.endpoints and not self.scenario.metrics:
            raise ScenarioError(
                "sweep: there is nothing to keep of a patient. Give the scenario endpoints, for "
                "example HBVReactivation(), or metrics."
            )
        if self.scenario.check_tolerance:
            raise ScenarioError(
                "sweep: check_tolerance belongs to a single simulation. Check one cell with it, "
                "then sweep without."
            )
        if self.n_trajectories > MOST_TRAJECTORIES:
            raise ScenarioError(
                f"sweep: {self.n_cells:,} cells x {self.n_patients:,} patients = "
                f"{self.n_trajectories:,} trajectories are more than {MOST_TRAJECTORIES:,}. Use a "
                "smaller population.size, fewer values, or a latin_hypercube or sobol design in "
                "place of a grid."
            )
        for axis in self.design.axes:
            check_axis(self.scenario, axis)
            self._check_same_numbers(axis)
        taken = result_names(self.scenario, self.keep, courses=False)
        for axis in self.design.axes:
            if axis.name in taken and axis is not self.membership:
                raise ScenarioError(
                    f"axis '{axis.path}': the name '{axis.name}' is taken by {taken[axis.name]} "
                    f"of the result. Give the axis another name, for example "
                    f"{free_name(axis.name, taken)!r}."
                )

    def _check_same_numbers(self, axis: Axis) -> None:
        """Refuse an axis that would change which numbers are kept, or their units."""
        if axis.path.partition(".")[0] not in ("metrics", "endpoints"):
            return
        kept = {name: each.unit for name, each in self.keep.numbers.items()}
        for value in ends_of(axis):
            changed = keep_of(replaced(self.scenario, axis.path, value), courses=False).numbers
            if {name: each.unit for name, each in changed.items()} != kept:
                raise ScenarioError(
                    f"axis '{axis.path}' at {value!r}: the result would hold other variables than "
                    f"at the scenario's own value. Keep them side by side instead, under two names."
                )

    def __getstate__(self) -> dict[str, Any]:
        # What was worked out from the fields stays here: where the sweep arrives it follows again.
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.design.size

    @property
    def n_patients(self) -> int:
        """Number of patients in each cell."""
        return self.scenario.n_patients

    @property
    def n_trajectories(self) -> int:
        """Number of simulations: cells times patients."""
        return self.n_cells * self.n_patients

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions of the result: those of the design and, for a population, ``patient``."""
        return (*self.design.dims, *(("patient",) if self.scenario.is_ensemble else ()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each dimension of the result."""
        patients = (self.n_patients,) if self.scenario.is_ensemble else ()
        return (*self.design.shape, *patients)

    @property
    def vectors(self) -> tuple[Axis, ...]:
        """Axes that only change numbers, so that their cells are solved together."""
        return tuple(axis for axis in self.design.axes if is_vector(self.scenario, axis))

    @property
    def membership(self) -> Axis | None:
        """The axis over the components of the population's mixture, if there is one."""
        found = [axis for axis in self.design.axes if is_membership(self.scenario, axis.path)]
        return found[0] if found else None

    @property
    def structural(self) -> tuple[Axis, ...]:
        """The remaining axes: each of their values needs a scenario of its own."""
        apart = (*self.vectors, self.membership)
        return tuple(axis for axis in self.design.axes if axis not in apart)

    @cached_property
    def keep(self) -> Keep:
        """What is kept of each patient: metrics and endpoints, no courses."""
        return keep_of(self.scenario, courses=False)

    def to_json(self) -> str:
        """Return title and design as text, for the attributes of the result."""
        from carsim.scenario.encoding import encode

        described: dict[str, Any] = {
            "title": self.title,
            "design": self.design.kind,
            "settings": encode(self.design),
        }
        return json.dumps(described, allow_nan=False)
