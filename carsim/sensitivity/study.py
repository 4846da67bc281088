"""A study: factors, outputs, a method, and the model behind them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.design import Axis, Design, LatinHypercube, Sampled, Single
from carsim.design.designs import check_distinct
from carsim.errors import ScenarioError, unknown
from carsim.scenario import Scenario, keep_of
from carsim.scenario.encoding import encode
from carsim.sensitivity.designs import MorrisTrajectories, Saltelli, design_hash
from carsim.sensitivity.effects import morris
from carsim.sensitivity.frame import Label
from carsim.sensitivity.indices import sobol
from carsim.sensitivity.one_at_a_time import OneAtATime, at_own_values, one_at_a_time
from carsim.sensitivity.outputs import Output, reduced
from carsim.sensitivity.patients import patient_prcc
from carsim.sensitivity.ranks import prcc
from carsim.sweep import Sweep
from carsim.sweep import run as run_sweep
from carsim.sweep.axes import check_axis, unit_of, words_of

if TYPE_CHECKING:
    import xarray as xr

METHODS = ("sobol", "morris", "prcc", "one_at_a_time")
DESIGNS: dict[str, type[Sampled]] = {
    "sobol": Saltelli,
    "morris": MorrisTrajectories,
    "prcc": LatinHypercube,
}
FEWEST_ROWS = 4
"""Rows beyond the factors that a partial correlation and its interval need."""


@dataclass(frozen=True)
class Study:
    """Sensitivity of a population's outputs to factors.

    All points have the same virtual patients (common random numbers), so that an output is a
    function of the factors alone.

    Parameters
    ----------
    scenario : Scenario
        Model, values, therapy, population, metrics, endpoints and solver.
    method : {"sobol", "morris", "prcc", "one_at_a_time"}
        Sobol indices, elementary effects, partial rank correlations, or each factor alone at both
        ends of its range, all others at the scenario's own values.
    outputs : sequence of Output
        What of the endpoints and metrics is looked at.
    factors : sequence of Axis, optional
        What is varied, and between which values. Without factors, which only "prcc" allows, the
        rows are the patients and the factors their sampled parameters.
    samples : int, optional
        Sobol: rows of the base table, a power of two; the model is evaluated at
        ``samples * (n_factors + 2)`` points. Morris: trajectories of ``n_factors + 1`` points.
        PRCC: points of a Latin hypercube. Not without factors: the population has a size. Not one
        factor at a time: that takes ``2 * n_factors + 1`` points.
    seed : int, optional
        Seed of the points and of the bootstrap. The patients have their own, the population's.
    title, config, overrides
        As of a `Sweep`.

    Raises
    ------
    ScenarioError
        With what was asked for, and what would be right.
    """

    scenario: Scenario
    method: str
    outputs: Sequence[Output]
    factors: Sequence[Axis] = ()
    samples: int | None = None
    seed: int = 0
    title: str = ""
    config: str = field(default="", repr=False)
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", tuple(self.outputs))
        object.__setattr__(self, "factors", tuple(self.factors))
        object.__setattr__(self, "overrides", tuple(self.overrides))
        if self.method not in METHODS:
            raise ScenarioError(unknown("method", str(self.method), METHODS, "sensitivity"))
        self._check_outputs()
        if self.factors:
            self._check_factors()
            self._check_samples()
        else:
            self._check_patients()
        _ = self.sweep  # refuses a factor that is called like a variable

    @cached_property
    def sweep(self) -> Sweep:
        """The sweep whose result is analyzed: all points, and only what the outputs need."""
        needed = {output.variable for output in self.outputs}
        scenario, keep = self.scenario, keep_of(self.scenario, courses=False)
        wanted = [
            part.where
            for part, numbers in zip(keep.parts, keep.described, strict=True)
            if needed & set(numbers)
        ]
        kept: dict[str, Any] = {
            what: {k: v for k, v in given.items() if f"{what}.{k}" in wanted}
            for what, given in (("metrics", scenario.metrics), ("endpoints", scenario.endpoints))
        }
        return Sweep(
            dataclasses.replace(scenario, **kept),
            self._design(),
            title=self.title,
            config=self.config,
            overrides=self.overrides,
        )

    def run(self, progress: Callable[[int, int], None] | None = None) -> xr.Dataset:
        """Simulate all points and analyze them.

        Parameters
        ----------
        progress : callable, optional
            Called with (simulations done, simulations) now and then.

        Returns
        -------
        xarray.Dataset
            As of `carsim.sensitivity.sobol`, `morris`, `prcc`, `patient_prcc` or
            `carsim.sensitivity.one_at_a_time.one_at_a_time`. With factors also
            over ``point``: ``factor_value``, ``value``, ``n_patients`` that are in it, and
            ``failed``. The attributes rebuild the study (`carsim.sensitivity.rebuild_study`).

        Raises
        ------
        ScenarioError
            A point at which no patient has a value of an output; the point is named.
        CarsimError
            A package that the method needs is not installed.
        """
        design = self.sweep.design
        if isinstance(design, Sampled):
            design.columns(np.arange(1))  # a missing package is missed before the simulations
        swept = run_sweep(self.sweep, progress=progress)
        if self.factors:
            found = self._over_points(swept, design)
        else:
            found = self._over_patients(swept)
        return found.assign_attrs(sensitivity=self.to_json())

    def to_json(self) -> str:
        """Return what the sweep does not say, for the attributes of the result."""
        described = {
            "method": self.method,
            "samples": self.samples,
            "seed": self.seed,
            "outputs": encode(self.outputs),
        }
        return json.dumps(described, allow_nan=False)

    def _design(self) -> Design:
        if not self.factors:
            return Single()
        if self.method == "one_at_a_time":
            return at_own_values(self.scenario, self.factors)
        assert self.samples is not None
        return DESIGNS[self.method](self.factors, self.samples, self.seed)

    def _over_patients(self, swept: xr.Dataset) -> xr.Dataset:
        found = patient_prcc(swept, [output.variable for output in self.outputs])
        return found.assign_coords(
            output=("output", [output.name for output in self.outputs], found.output.attrs),
            output_words=(
                "output",
                [
                    output.label or str(words)
                    for output, words in zip(self.outputs, found.output_words.values, strict=True)
                ],
                found.output_words.attrs,
            ),
        )

    def _over_points(self, swept: xr.Dataset, design: Design) -> xr.Dataset:
        points = {axis.name: swept[axis.name].values for axis in self.factors}
        values, counts, labels = {}, [], []
        for output in self.outputs:
            values[output.name], n = reduced(output, swept, points)
            counts.append(n)
            labels.append(output.described(swept[output.variable]))
        if isinstance(design, Saltelli):
            found = sobol(design, values)
        elif isinstance(design, MorrisTrajectories):
            found = morris(design, values)
        elif isinstance(design, OneAtATime):
            found = one_at_a_time(design, swept, self.outputs, values, seed=self.seed)
        else:
            found = prcc(points, values)
        own = dict(found.attrs)
        own.pop("carsim_version")
        both = {**json.loads(swept.attrs["versions"]), **json.loads(own["versions"])}
        own["versions"] = json.dumps(both)
        own["title"] = f"{found.attrs['title']}: {swept.attrs['title']}"
        own |= {"simulations": self.sweep.n_trajectories, "points": design.size}
        if isinstance(design, Sampled):
            own |= {"design_seed": self.seed, "design_hash": design_hash(design.shares)}
        return self._with_points(found, swept, values, counts, labels).assign_attrs(
            {**swept.attrs, **own}
        )

    def _with_points(
        self,
        found: xr.Dataset,
        swept: xr.Dataset,
        values: Mapping[str, Any],
        counts: list[Any],
        labels: list[Label],
    ) -> xr.Dataset:
        """Add words and units of the model, and the numbers at the points."""
        axes = self.factors
        failed = (swept["status"] != 0).values.reshape(self.sweep.n_cells, -1).sum(axis=1)
        one = {"units": "1", "carsim_units": "1"}
        both = ("point", "output")
        columns = [swept[axis.name].values for axis in axes]
        if any(column.dtype.kind not in "iuf" for column in columns):
            columns = [column.astype(str).astype(object) for column in columns]
        evaluations = {
            # One variable for all: the name of a factor may be that of an index, such as mu.
            "factor_value": (
                ("point", "factor"),
                np.column_stack(columns),
                {"long_name": "factor at the point, in factor_unit"},
            ),
            "value": (
                both,
                np.column_stack(list(values.values())),
                {"long_name": "output at the point, in output_unit"},
            ),
            "n_patients": (
                both,
                np.column_stack(counts),
                {**one, "long_name": "patients in the output at the point"},
            ),
            "failed": ("point", failed, {**one, "long_name": "patients who failed at the point"}),
        }
        words = [words_of(self.scenario, axis) for axis in axes]
        units = [unit_of(self.scenario, axis.path) for axis in axes]
        coordinates: dict[str, Any] = {
            "factor_words": ("factor", words, found.factor_words.attrs),
            "factor_unit": ("factor", units, found.factor_unit.attrs),
            "factor_path": ("factor", [axis.path for axis in axes], {"long_name": "what varied"}),
            "output_words": (
                "output",
                [label.words for label in labels],
                found.output_words.attrs,
            ),
            "output_unit": ("output", [label.unit for label in labels], found.output_unit.attrs),
            "point": swept["point"].variable,
        }
        return found.assign(evaluations).assign_coords(coordinates)

    def _check_outputs(self) -> None:
        if not self.outputs:
            raise ScenarioError(
                "sensitivity: there is no output. Name at least one variable of the endpoints, for "
                "example Output('hbv_reactivation')."
            )
        known = keep_of(self.scenario, courses=False).numbers
        for number, output in enumerate(self.outputs):
            where = f"sensitivity.outputs[{number}].variable"
            if output.variable not in known:
                raise ScenarioError(
                    f"{where}: {unknown('variable', output.variable, known, 'the result')}"
                )
        names = [output.name for output in self.outputs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ScenarioError(
                f"sensitivity.outputs: two outputs are called '{twice[0]}'. Give one of them "
                f"another name."
            )

    def _check_factors(self) -> None:
        """Try the factors out here, where their number is known, and not as axes of the sweep."""
        check_distinct(self.factors, "sensitivity.factors")
        for number, axis in enumerate(self.factors):
            try:
                check_axis(self.scenario, axis)
            except ScenarioError as error:
                raise ScenarioError(f"sensitivity.factors[{number}]: {error}") from error

    def _check_samples(self) -> None:
        if self.method == "one_at_a_time":
            if self.samples is not None:
                raise ScenarioError(
                    f"sensitivity.samples: {self.samples} is given, but one_at_a_time takes "
                    f"{2 * len(self.factors) + 1} points: base, and both ends of each factor. "
                    f"Remove it."
                )
            return
        if self.samples is None:
            raise ScenarioError(
                "sensitivity.samples: say how many, for example samples = 64. More make the "
                "intervals narrower."
            )
        if self.method == "prcc":
            least = len(self.factors) + FEWEST_ROWS
            if self.samples < least:
                raise ScenarioError(
                    f"sensitivity.samples: {self.samples} points are too few for "
                    f"{len(self.factors)} factors. Give {least} or more."
                )
            for axis in self.factors:
                if axis.values is not None and isinstance(axis.values[0], str):
                    raise ScenarioError(
                        f"axis '{axis.path}': labels have no rank. Vary numbers, or use Sobol "
                        f"indices."
                    )

    def _check_patients(self) -> None:
        if self.method != "prcc":
            raise ScenarioError(
                f"sensitivity.factors: there is none, but {self.method} needs to know what is "
                f"varied. Give at least one, or method = 'prcc' for the patients' own parameters."
            )
        population = self.scenario.population
        if population is None or not population.sampled:
            raise ScenarioError(
                "sensitivity.factors: there is none, and no population whose parameters are "
                "sampled. Give factors, or a population with distributions."
            )
        if self.samples is not None:
            raise ScenarioError(
                f"sensitivity.samples: {self.samples} is given, but without factors the patients "
                f"are the rows. Remove it; population.size = {population.size} says how many."
            )
        least = len(population.sampled) + FEWEST_ROWS
        if population.size < least:
            raise ScenarioError(
                f"population.size: {population.size} patients are too few for "
                f"{len(population.sampled)} sampled parameters. Give {least} or more."
            )
        for number, output in enumerate(self.outputs):
            if output.statistic or output.scale != "linear":
                raise ScenarioError(
                    f"sensitivity.outputs[{number}]: without factors the rows are the patients "
                    f"and only ranks count. Remove statistic and scale."
                )
