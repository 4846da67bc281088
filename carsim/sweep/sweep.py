"""A sweep: one scenario, a design of cells, the same virtual patients in every cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carsim.design import Axis, Design
from carsim.endpoints import Endpoint, Requirements
from carsim.errors import ScenarioError
from carsim.scenario import Scenario
from carsim.sweep.axes import check_axis, is_membership, is_vector

MOST_TRAJECTORIES = 10**9


@dataclass(frozen=True)
class Sweep:
    """What is simulated in every cell, and which cells there are.

    All cells have the same virtual patients (common random numbers), so that differences between
    cells are those of the treatment and not of the draw.

    Parameters
    ----------
    scenario : Scenario
        Model, values, therapy, population and solver; its metrics become variables of the result.
    design : Design
        Cells: a grid, a list, or a random, Latin hypercube or Sobol design.
    endpoints : mapping of str to Endpoint, optional
        What is kept of each patient, by names of your choice.
    title : str, optional
        Words for the result.
    config : str, optional
        Text of the config file that this was read from.
    overrides : sequence of str, optional
        What was changed in that file, as ``path=value``.

    Raises
    ------
    ScenarioError
        An unknown path, a value that the scenario refuses, an endpoint that the model cannot give.
    """

    scenario: Scenario
    design: Design
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    title: str = ""
    config: str = field(default="", repr=False)
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoints", dict(self.endpoints))
        object.__setattr__(self, "overrides", tuple(self.overrides))
        if not self.endpoints and not self.scenario.metrics:
            raise ScenarioError(
                "sweep: there is nothing to keep of a patient. Give endpoints, for example "
                "HBVReactivation(), or metrics."
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
        self.requirements(self.scenario)
        taken = set(self.scenario.metrics)
        population = self.scenario.population
        if population is not None and population.mixture is not None:
            taken.add(population.mixture.name)
        for axis in self.design.axes:
            if axis.name in taken and axis is not self.membership:
                raise ScenarioError(
                    f"axis '{axis.path}': the name '{axis.name}' is taken by a metric or the "
                    f"mixture of the result. Give the axis another name."
                )

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

    def requirements(self, scenario: Scenario) -> dict[str, Requirements]:
        """What each endpoint needs of a scenario with this model, start and stop."""
        return {
            name: endpoint.requires(scenario.model, scenario.start, scenario.last_stop)
            for name, endpoint in self.endpoints.items()
        }

    def to_json(self) -> str:
        """Return the design and the endpoints as text, for the attributes of the result."""
        from carsim.scenario.encoding import encode

        described: dict[str, Any] = {
            "title": self.title,
            "design": self.design.kind,
            "settings": encode(self.design),
            "endpoints": {name: encode(endpoint) for name, endpoint in self.endpoints.items()},
        }
        return json.dumps(described, allow_nan=False)
