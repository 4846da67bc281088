"""A scenario turned into arrays for the engine, for all patients or a block of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import Reductions, Save
from carsim.errors import ScenarioError
from carsim.metrics import Metric, compile_metrics
from carsim.model import Model
from carsim.population import Cohort
from carsim.scenario.keep import Keep
from carsim.scenario.scenario import Scenario
from carsim.scenario.steady_state import solver
from carsim.scenario.validate import checked_start_values
from carsim.therapy import (
    Compiled,
    People,
    Sources,
    check_scaled_windows,
    compile_therapy,
    item_names,
)
from carsim.therapy.values import FloatArray, PerPatient

HAZARD_ATOL = 1e-6
"""Absolute tolerance of a cumulative hazard, which is compared with a number near 1."""


@dataclass(frozen=True)
class Block:
    """Engine input of some patients.

    Attributes
    ----------
    y0 : float64 array, shape (n_patients, n_states), model units
    p : float64 array, shape (n_patients, n_parameters), model units
    stop : float or float64 array, shape (n_patients,), model time unit
    serial : int64 array, shape (n_patients,)
        Number of each patient, by which chance is drawn.
    therapy : Compiled
        Stops, courses and rules.
    """

    y0: FloatArray
    p: FloatArray
    stop: PerPatient
    serial: NDArray[np.int64]
    therapy: Compiled


@dataclass(frozen=True)
class Prepared:
    """A scenario as arrays. The therapy is turned into stops block by block, to bound memory.

    Attributes
    ----------
    scenario : Scenario
        What is simulated.
    y0 : float64 array, shape (n_patients, n_states + n_added), model units
        Initial states, and behind them those of states that the therapy adds.
    p : float64 array, shape (n_patients, n_parameters), model units
        Parameters, with the computed ones.
    keep : Keep
        What is kept of each patient.
    save : Save
        Times and sources of what is saved.
    reductions : Reductions
        Metrics, in the order of `metrics`.
    sources : Sources
        Columns of the outputs, and the states that the therapy adds.
    items : tuple of str
        Names of the items of the therapy that are not rules.
    rules : tuple of str
        Names of its rules and hazards, in the order of the engine's event numbers.
    floors : float64 array, shape (n_states,)
        Amounts below which a state goes extinct; zero for a pool that does not, minus infinity for
        a signed state.
    atol : float64 array, shape (n_states,)
        Absolute tolerances.
    sampled : mapping of str to float64 array, shape (n_patients,)
        Parameters that differ between patients, for the result.
    labels : mapping of str to str array, shape (n_patients,)
        Labels of the patients, for the result.
    patients : int64 array, shape (n_patients,)
        Number of each patient in the population.
    """

    scenario: Scenario
    y0: FloatArray
    p: FloatArray
    keep: Keep
    save: Save
    reductions: Reductions
    sources: Sources
    items: tuple[str, ...]
    rules: tuple[str, ...]
    floors: FloatArray
    atol: FloatArray
    sampled: Mapping[str, FloatArray]
    labels: Mapping[str, NDArray[np.str_]]
    patients: NDArray[np.int64]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of ``save.sources``: the outputs of the result, and what only endpoints see."""
        return self.keep.saved

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Metrics of the scenario and of its endpoints, with those added by default."""
        return self.keep.metrics

    @property
    def model(self) -> Model:
        """The model that is run."""
        return self.scenario.model

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.y0)

    def block(self, first: int = 0, last: int | None = None) -> Block:
        """Arrays of patients ``first`` to ``last - 1``; all by default.

        Parameters
        ----------
        first, last : int
            Range of patients; `last` is exclusive.

        Returns
        -------
        Block
        """
        last = self.n_patients if last is None else last
        scenario = self.scenario
        part = slice(first, last)
        therapy = {name: item.select(part) for name, item in scenario.items.items()}
        stop = scenario.stop
        if isinstance(stop, np.ndarray):
            stop = stop[part]
        p, n_states = self.p[part], len(self.model.states)
        own = self.y0[part, :n_states]
        seed = 0 if scenario.population is None else scenario.population.seed
        people = People(p, own, self.patients[part], seed)
        steady = solver(self.model, own)
        compiled = compile_therapy(
            self.model, therapy, people, scenario.start, stop, self.sources, steady
        )
        return Block(self.y0[part], p, stop, self.patients[part], compiled)


def prepare(scenario: Scenario, cohort: Cohort | None = None, keep: Keep | None = None) -> Prepared:
    """Draw the patients and turn names into indices.

    Parameters
    ----------
    scenario : Scenario
        What is simulated.
    cohort : Cohort, optional
        Patients drawn already, in place of the scenario's population; as many as the scenario has.
    keep : Keep, optional
        What is kept of each patient, if the scenario is a part of another one that says so.

    Returns
    -------
    Prepared

    Raises
    ------
    ScenarioError
        A patient's parameters are out of bounds, or a pool of a patient starts negative.
    """
    model = scenario.model
    n_patients = scenario.n_patients
    if cohort is None and scenario.population is not None:
        cohort = scenario.population.sample(model, scenario.parameters, scenario.variants)
    if cohort is not None and len(cohort) != n_patients:
        raise ScenarioError(
            f"the cohort has {len(cohort)} patients, but the scenario has {n_patients}. Draw as "
            f"many as the scenario's population has."
        )
    # The cohort's values already take the scenario's as their centers, so they come last.
    drawn = {} if cohort is None else cohort.parameters
    given = {**scenario.parameters, **drawn}
    p = model.parameter_values(given, scenario.variants, n_patients)
    y0, p = model.initial_state(p)
    for name, value in scenario.initial.items():
        y0[:, model.state_index[name]] = value
    y0 = checked_start_values(model, y0, None if cohort is None else cohort.patients)
    check_scaled_windows(model, scenario.items, p)
    sources = Sources.of(model, scenario.items)
    added = [p[:, model.parameter_index[name]] for name in sources.driven]
    y0 = np.column_stack([y0, *added, np.zeros((n_patients, len(sources.integrals)))])
    keep = scenario.keep if keep is None else keep
    save = Save(keep.save_at, np.array([sources.column(name) for name in keep.saved], np.int64))
    items, rules = item_names(scenario.items)
    return Prepared(
        scenario=scenario,
        y0=y0,
        p=p,
        keep=keep,
        save=save if keep.saved and keep.save_at.size else Save.nothing(),
        reductions=compile_metrics(sources, keep.metrics, scenario.start, keep.setting.stop),
        sources=sources,
        items=items,
        rules=rules,
        floors=np.array(
            [-np.inf if s.signed else s.extinct_below or 0.0 for s in model.states]
            + [-np.inf] * sources.n_added
        ),
        atol=np.array(
            [s.atol for s in model.states]
            # A driven parameter is exact, whatever its size; a hazard is a number near 1.
            + [np.inf] * len(sources.driven)
            + [HAZARD_ATOL] * len(sources.integrals),
            dtype=np.float64,
        ),
        sampled={name: value for name, value in given.items() if isinstance(value, np.ndarray)},
        labels={} if cohort is None else cohort.labels,
        patients=np.arange(n_patients) if cohort is None else cohort.patients,
    )
