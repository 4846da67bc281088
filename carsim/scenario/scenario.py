"""What is simulated: a model with values, a therapy, patients, times, outputs and a solver."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from carsim.endpoints import ENDPOINTS, Endpoint
from carsim.errors import ScenarioError
from carsim.guidelines import Criterion, Definition
from carsim.metrics import METRICS, Metric
from carsim.model import Model
from carsim.model.files import found_again
from carsim.model.identity import few, stored_differences
from carsim.population import DISTRIBUTIONS, Component, Mixture, Population
from carsim.registry import load_model, place_to_store
from carsim.scenario import validate
from carsim.scenario.encoding import decode, encode
from carsim.scenario.keep import Keep, keep_of
from carsim.scenario.names import result_names
from carsim.scenario.replace import replaced
from carsim.scenario.solver import Solver
from carsim.scenario.start_only import check_read_later
from carsim.therapy import (
    ACTIONS,
    ITEMS,
    Assay,
    Baseline,
    Item,
    check_lengths,
    check_therapy,
    flatten,
)
from carsim.therapy.values import FloatArray, PerPatient

_CLASSES: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        *(Solver, Population, Mixture, Component, Assay, Baseline),
        *(Definition, Criterion),
        *ITEMS.values(),
        *ACTIONS.values(),
        *METRICS.values(),
        *ENDPOINTS.values(),
        *DISTRIBUTIONS.values(),
    )
}


@dataclass(frozen=True, eq=False)
class Scenario:
    """Everything that determines a simulation. Immutable; every value is checked when it is built.

    A value that is a numpy array of shape (n_patients,) holds one number a patient; all arrays,
    and the population if there is one, agree on the number of patients.

    Parameters
    ----------
    model : Model or str
        Model, or its name.
    parameters : mapping of str to float or array, optional
        Values by dotted name, in the parameters' units. A population may vary them further.
    variants : sequence of str, optional
        Named parameter sets of the model, not two of one group; `parameters` win over them.
    therapy : mapping of str to items, optional
        What is done to the patients, by names of your choice: doses, infusions, windows,
        covariates, resets, rules, hazards, and bundles of them. Coincident actions are applied in
        the order of `carsim.therapy.timeline.Order`; within a kind in the order of this mapping.
    population : Population, optional
        How patients differ.
    ids : sequence of str, optional
        Labels of the patients, one each: the coordinate `id` of the result.
    start, stop : float, model time unit
        Span of the simulation; `stop` may be an array. Actions take place on ``[start, stop)``.
    infusion : float, model time unit
        When the CAR-T cells are given: endpoints count from it, and reports show days since it.
        Times in a result stay on the clock of the simulation, that of the coordinate ``time``.
    save_at : sequence of float, optional
        Times at which outputs are saved. An empty list saves none. By default a grid of round
        numbers (150 to 400 points) for up to 1000 patients, or if `outputs` are named.
    outputs : sequence of str, optional
        Observables and states to save; all observables (or states, if there are none) by default.
    metrics : mapping of str to Metric, optional
        Numbers to keep of each patient, by names of your choice.
    endpoints : mapping of str to Endpoint, optional
        What a trial would report of each patient, by names of your choice; see `carsim.endpoints`.
    initial : mapping of str to float or array, optional
        Initial values of states that replace those of the model.
    solver : Solver, optional
        Method and tolerances.
    check_tolerance : bool, optional
        Solve a second time with a tenth of `rtol`, a millionth of the absolute tolerances and at
        least a thousand steps, and report the difference in the result.

    Raises
    ------
    ScenarioError
        Anything that is unknown, contradictory, out of bounds or not finite; a name that the result
        would hold twice.
    """

    model: Model
    parameters: Mapping[str, PerPatient] = field(default_factory=dict)
    variants: Sequence[str] = ()
    therapy: Mapping[str, Item] = field(default_factory=dict)
    population: Population | None = None
    start: float = 0.0
    stop: PerPatient = dataclasses.field(default=float("nan"))
    infusion: float = 0.0
    save_at: Sequence[float] | FloatArray | None = None
    outputs: Sequence[str] | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    initial: Mapping[str, PerPatient] = field(default_factory=dict)
    solver: Solver = field(default_factory=Solver)
    check_tolerance: bool = False

    def __post_init__(self) -> None:
        self._check_kinds()
        model = self.model
        self._set(parameters=validate.checked_values("parameters", self.parameters))
        self._set(initial=validate.checked_values("initial", self.initial))
        if isinstance(self.variants, str):
            raise ScenarioError(
                f"variants is the text {self.variants!r}; give a list: [{self.variants!r}]."
            )
        self._set(variants=tuple(self.variants), therapy=dict(self.therapy))
        self._set(start=validate.checked_time("start", self.start))
        self._set(infusion=validate.checked_time("infusion", self.infusion))
        self._set(ids=validate.checked_ids(self.ids))
        if isinstance(self.stop, float) and np.isnan(self.stop):
            raise ScenarioError(
                f"stop is missing. Say when the simulation ends, in {model.time_unit}s."
            )
        self._set(stop=validate.checked_stop(self.stop, self.start))
        self._set(save_at=validate.checked_times(self.save_at, self.start, self.last_stop))
        self._set(outputs=validate.checked_outputs(model, self.outputs))
        self._set(metrics=dict(self.metrics), endpoints=dict(self.endpoints))
        for what in ("therapy", "metrics", "endpoints"):
            validate.check_names(what, getattr(self, what))
        for name, metric in self.metrics.items():
            if not isinstance(metric, Metric):
                raise ScenarioError(f"metrics.{name} is {metric!r}. Give for example Maximum(...).")
            metric.check(f"metrics.{name}", model, self.start, self.last_stop)
        validate.check_parameters(model, self.parameters, self.variants)
        validate.check_initial(model, self.initial)
        for name, item in self.therapy.items():
            if not isinstance(item, Item):
                raise ScenarioError(
                    f"therapy.{name} is {item!r}. Give a dose, an infusion, a window, a rule or "
                    f"another item of carsim.therapy."
                )
        check_therapy(model, self.items, self.start, self.stop)
        check_read_later(model, self.items)
        if self.population is not None:
            self.population.validate(model, self.parameters, self.variants)
        number = validate.number_of_patients(self._array_lengths(), self._size)
        check_lengths(self.therapy, 1 if number is None else number)
        for name, endpoint in self.endpoints.items():
            given: object = endpoint
            if isinstance(given, type) or not isinstance(given, Endpoint):
                raise ScenarioError(
                    f"endpoints.{name} is {endpoint!r}. Give for example HBVReactivation(); a "
                    f"metric belongs into metrics."
                )
        result_names(self, self.keep)

    def _check_kinds(self) -> None:
        if isinstance(self.model, str):
            self._set(model=load_model(self.model))
        for name, kind in (
            ("model", Model),
            ("therapy", Mapping),
            ("metrics", Mapping),
            ("endpoints", Mapping),
            ("solver", Solver),
            ("check_tolerance", bool),
        ):
            given = getattr(self, name)
            if not isinstance(given, kind):
                raise ScenarioError(
                    f"{name} is a {type(given).__name__}; give a {kind.__name__.lower()}."
                )
        if self.population is not None and not isinstance(self.population, Population):
            raise ScenarioError(
                f"population is a {type(self.population).__name__}; give Population(size=...)."
            )

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scenario):
            return NotImplemented
        return self.model.hash == other.model.hash and self._encoded() == other._encoded()

    def __hash__(self) -> int:
        return hash((self.model.name, self.start, self.variants, tuple(self.therapy)))

    def __reduce__(self) -> tuple[Any, ...]:
        # The model says itself where another process finds it, and what it must be there. Endpoints
        # may be of classes of the user's own, which pickle as they are.
        plain = dataclasses.replace(self, endpoints={})
        return _received, (self.model, plain._encoded(), dict(self.endpoints))

    @property
    def _size(self) -> int | None:
        return None if self.population is None else int(self.population.size)

    @cached_property
    def items(self) -> Mapping[str, Item]:
        """The therapy with its bundles taken apart: parts are called ``bundle.part``."""
        return flatten(self.therapy)

    @cached_property
    def keep(self) -> Keep:
        """What is kept of each patient: courses, metrics and endpoints."""
        return keep_of(self)

    @property
    def last_stop(self) -> float:
        """Latest stop of all patients, model time unit."""
        return float(np.max(self.stop))

    @property
    def is_ensemble(self) -> bool:
        """Whether the result has a patient dimension: a population, or any array."""
        return self._size is not None or bool(self._array_lengths())

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return validate.number_of_patients(self._array_lengths(), self._size) or 1

    def _array_lengths(self) -> dict[str, int]:
        found = {
            **validate.array_lengths("parameters", self.parameters),
            **validate.array_lengths("initial", self.initial),
        }
        for name, item in self.therapy.items():
            found.update(
                {f"therapy.{name}.{part}": length for part, length in item.patients().items()}
            )
        if isinstance(self.stop, np.ndarray):
            found["stop"] = len(self.stop)
        if self.ids is not None:
            found["ids"] = len(self.ids)
        return found

    def replace(self, path: str, value: object) -> Scenario:
        """Return a scenario with one value changed; this one stays as it is.

        Parameters
        ----------
        path : str
            Dotted path: ``"stop"``, ``"parameters.hbv.beta"``, ``"therapy.entecavir.stop"``,
            ``"initial.virus"``, ``"metrics.peak.start"``, ``"population.size"``,
            ``"solver.rtol"``.
        value : object
            New value; an array of shape (n_patients,) gives one number a patient.

        Returns
        -------
        Scenario

        Raises
        ------
        ScenarioError
            An unknown part of the path, with the nearest name, or a value that is refused.

        Examples
        --------
        >>> Scenario("stein_2019", stop=28.0).replace("solver.rtol", 1e-7).solver.rtol
        1e-07
        """
        changed: Scenario = replaced(self, path, value)
        return changed

    def describe(self) -> str:
        """Say in a few lines what is simulated."""
        model, unit = self.model, self.model.time_unit
        stop = f"{self.stop:g}" if isinstance(self.stop, float) else "each patient's own stop"
        many = f"{self.n_patients} patients" if self.is_ensemble else "one patient"
        lines = [f"{model.name}: {many}, {self.start:g} to {stop} {unit}"]
        if self.infusion:
            lines.append(f"infusion: {self.infusion:g} {unit}")
        if self.variants:
            lines.append(f"variants: {', '.join(self.variants)}")
        for what, values in (("parameters", self.parameters), ("initial", self.initial)):
            lines.extend(
                f"{what}: {name} = {_short(value)} {model.unit_of(name)}"
                for name, value in values.items()
            )
        lines.extend(f"therapy: {name} = {item}" for name, item in self.therapy.items())
        if self.population is not None:
            varied = ", ".join(self.population.parameters) or "nothing"
            drawn = f"{self.population.sampling}, seed {self.population.seed}"
            lines.append(f"population: {drawn}, varies {varied}")
        if self.save_at is not None:
            lines.append(f"save_at: {len(self.save_at)} times")
        if self.outputs is not None:
            lines.append(f"outputs: {', '.join(self.outputs) or 'none'}")
        lines.extend(f"metrics: {name} = {metric}" for name, metric in self.metrics.items())
        lines.extend(f"endpoints: {name} = {each}" for name, each in self.endpoints.items())
        lines.append(f"solver: {self.solver.method}, rtol {self.solver.rtol:g}")
        return "\n".join(lines)

    def _encoded(self) -> dict[str, Any]:
        names = (item.name for item in dataclasses.fields(self) if item.name != "model")
        return {name: encode(getattr(self, name)) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types that `from_dict` turns back into an equal scenario.

        Returns
        -------
        dict
            Numbers keep all their bits; the model is stored by name, by where it is found (the
            path of a file, or the name of a module), by its hash, and by its parts, so that what
            has changed can be said later.
        """
        model = self.model
        stored: dict[str, Any] = {"name": model.name, "hash": model.hash, **place_to_store(model)}
        return {"model": {**stored, "parts": dict(model.parts)}, **self._encoded()}

    def to_json(self) -> str:
        """Return `to_dict` as text."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, Any],
        model: Model | None = None,
        endpoints: Mapping[str, type] | None = None,
    ) -> Scenario:
        """Build a scenario from `to_dict`.

        Parameters
        ----------
        data : mapping
            Result of `to_dict`.
        model : Model, optional
            Model to use in place of the stored one, even if it is another.
        endpoints : mapping of str to type, optional
            Classes of endpoints that do not come from carsim, by their names.

        Raises
        ------
        ScenarioError
            The model is not the one that was stored (the message says what has changed), or an
            endpoint's class is not known.
        """
        classes = {**_CLASSES, **(endpoints or {})}
        given = {name: decode(value, classes) for name, value in data.items() if name != "model"}
        return cls(model=_stored_model(data["model"]) if model is None else model, **given)


def _received(
    model: Model, encoded: Mapping[str, Any], endpoints: Mapping[str, Endpoint]
) -> Scenario:
    """Build a scenario that another process has sent."""
    given = {name: decode(value, _CLASSES) for name, value in encoded.items()}
    return Scenario(model, **{**given, "endpoints": endpoints})


def _stored_model(stored: Mapping[str, Any]) -> Model:
    name = stored["name"]
    place = {key: stored[key] for key in ("module", "file") if key in stored}
    if "file" in place and not place["file"].endswith(".py"):
        raise ScenarioError(
            f"model {name!r} was typed in when this scenario was stored, and is in no file "
            f"({place['file']}). Build it again, and pass it with model=."
        )
    model: Model = found_again(place, stored["hash"]) if place else load_model(name)
    changed = stored_differences(stored, model)
    if changed:
        raise ScenarioError(
            f"model {name!r} has changed since this scenario was stored: {few(changed)}. Running "
            "it again would give other numbers. To use it all the same, pass "
            f"model=load_model({(place.get('file') or place.get('module') or name)!r})."
        )
    return model


def _short(value: PerPatient) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value.min():g} to {value.max():g} ({len(value)} values)"
