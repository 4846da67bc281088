"""From checked tables to the objects of the library; every refusal names file and key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from carsim.config.document import flatten
from carsim.config.messages import shown, wrong_kind
from carsim.config.schema import AxisTable, ConfigTable, PopulationTable
from carsim.design import Axis, Design, make_design
from carsim.endpoints import Endpoint, make_endpoint
from carsim.errors import CarsimError, ConfigError, ScenarioError, did_you_mean, unknown
from carsim.metrics import METRICS, Metric
from carsim.model import Model
from carsim.population import (
    DISTRIBUTIONS,
    Component,
    Distribution,
    Mixture,
    Population,
    named_population,
)
from carsim.registry import load_model
from carsim.scenario import Scenario, Solver
from carsim.therapy import ACTIONS, ITEMS, Assay, Baseline, EventTable, Item, read_events
from carsim.therapy.values import PerPatient

T = TypeVar("T")

MOST_TIMES = 1_000_000


@contextmanager
def at(source: str, key: str) -> Iterator[None]:
    """Say in which file and at which key the library refused something."""
    try:
        yield
    except ConfigError:
        raise
    except CarsimError as error:
        words = str(error)
        # Most messages of a scenario name the key themselves.
        named = key == "" or words.startswith(key)
        raise ConfigError(f"{source}: {words}" if named else f"{source}: {key}: {words}") from error


def build_scenario(table: ConfigTable, source: str, folder: Path | None) -> Scenario:
    """Make the scenario of a config.

    Parameters
    ----------
    table : ConfigTable
        Checked tables.
    source : str
        File name, for messages.
    folder : Path, optional
        Where model files named by a relative path are looked for.
    """
    with at(source, "model"):
        model = load_model(_model_name(table.model, folder))
    with at(source, "variants"):
        model.parameter_values({}, table.variants)
    with at(source, "parameters"):
        model.parameter_values(table.parameters, ())
    therapy: dict[str, Item] = {}
    parameters: dict[str, PerPatient] = dict(table.parameters)
    ids = None
    if table.events is not None:
        events = _events(table, model, source, folder)
        therapy.update(events.therapy)
        parameters.update(events.parameters)
        ids = events.ids
    for name, given in table.therapy.items():
        if name in therapy:
            raise ConfigError(
                f"{source}: therapy.{name}: {name!r} is also an item of the table of [events]. "
                f"Choose another name."
            )
        therapy[name] = _therapy(given, source, f"therapy.{name}")
    population = None
    if table.population is not None:
        population = build_population(table.population, model, source)
        with at(source, "population"):
            population.validate(model, table.parameters, table.variants)
    solver = _construct(Solver, table.solver, source, "solver")
    known = (*model.observable_names, *model.state_names)
    for number, name in enumerate(table.outputs.save):
        if name not in known:
            owner = f"{source}: outputs.save[{number}]: model '{model.name}'"
            raise ConfigError(unknown("observable or state", name, known, owner))
    with at(source, ""):
        return Scenario(
            model,
            parameters=parameters,
            variants=tuple(table.variants),
            therapy=therapy,
            population=population,
            start=table.time.start,
            stop=table.time.stop,
            infusion=table.time.infusion,
            save_at=_save_at(table, source),
            outputs=tuple(table.outputs.save) or None,
            metrics=build_metrics(table, source),
            endpoints=build_endpoints(table, source),
            ids=ids,
            solver=solver,
        )


def _events(table: ConfigTable, model: Model, source: str, folder: Path | None) -> EventTable:
    """Read the event table of a config, which must agree with its parameters and population."""
    given = table.events
    assert given is not None
    file = Path(given.file)
    if folder is not None and not file.is_absolute():
        file = folder / file
    with at(source, "events"):
        events = read_events(
            file,
            model,
            lag=given.lag,
            bioavailability=given.bioavailability,
            modeled_rate=given.modeled_rate,
            modeled_duration=given.modeled_duration,
            covariates=given.covariates,
            interpolation=given.interpolation,
            ignore=given.ignore,
            duplicates=given.duplicates,
            start=table.time.start,
        )
    drawn = {} if table.population is None else _varied(table.population, source)
    for name in events.parameters:
        for key, taken in (("parameters", table.parameters), ("population.parameters", drawn)):
            if name in taken:
                raise ConfigError(
                    f"{source}: {key}.{name}: {name} is a covariate of [events]. Keep one of them."
                )
    if table.population is not None and table.population.size != len(events):
        raise ConfigError(
            f"{source}: population.size: {table.population.size} patients, but {given.file} has "
            f"{len(events)}. Give size = {len(events)}, or remove [population]."
        )
    return events


def _varied(population: PopulationTable, source: str) -> Mapping[str, Any]:
    """Parameters that a population varies, by their dotted names."""
    return flatten(population.parameters, source, "population.parameters", leaf="distribution")


def build_metrics(table: ConfigTable, source: str) -> dict[str, Metric]:
    """Make the metrics of a config; the kind is the key ``kind``."""
    return {
        name: _of_kind(METRICS, "metric", dict(given), "kind", source, f"metrics.{name}")
        for name, given in table.metrics.items()
    }


def build_endpoints(table: ConfigTable, source: str) -> dict[str, Endpoint]:
    """Make the endpoints of a config: the table's name is the kind unless ``kind`` says so."""
    endpoints: dict[str, Endpoint] = {}
    for name, given in table.endpoints.items():
        options = dict(given)
        kind = options.pop("kind", name)
        key = f"endpoints.{name}"
        if not isinstance(kind, str):
            raise ConfigError(f"{source}: {key}.kind: {wrong_kind(kind)}. Give a name in quotes.")
        with at(source, key):
            endpoint = _endpoint(kind, options, source, key)
            has_name = any(field.name == "name" for field in dataclasses.fields(endpoint))  # type: ignore[arg-type]
            if kind != name and has_name and "name" not in options:
                endpoint = _endpoint(kind, {**options, "name": name}, source, key)
        endpoints[name] = endpoint
    return endpoints


def _endpoint(kind: str, options: Mapping[str, Any], source: str, key: str) -> Endpoint:
    try:
        return make_endpoint(kind, options)
    except CarsimError:
        raise
    except (TypeError, ValueError) as error:
        # An option of the wrong kind that the endpoint computed with before it looked.
        raise ConfigError(f"{source}: {key}: an option is of the wrong kind: {error}.") from None


def build_design(table: ConfigTable, source: str) -> Design:
    """Make the design of a config that has a sweep."""
    assert table.sweep is not None
    axes = []
    for number, given in enumerate(table.sweep.axes):
        with at(source, f"sweep.axes[{number}]"):
            axes.append(build_axis(given))
    with at(source, "sweep"):
        return make_design(table.sweep.design, axes, table.sweep.points, table.sweep.seed)


def build_population(table: PopulationTable, model: Model, source: str) -> Population:
    """Make the population of a config, on top of one of the model's if the config names it."""
    base = None if table.like is None else _like(table, model, source)
    mixture = None if base is None else base.mixture
    if table.mixture is not None:
        components = []
        for number, given in enumerate(table.mixture.components):
            key = f"population.mixture.components[{number}]"
            with at(source, key):
                components.append(
                    Component(
                        given.label,
                        given.weight,
                        given.variants,
                        _distributions(given.parameters, source, f"{key}.parameters"),
                    )
                )
        with at(source, "population.mixture"):
            mixture = Mixture(table.mixture.name, components, table.mixture.stratified)
    correlations: dict[tuple[str, str], float] = {}
    if base is not None:
        correlations |= base.correlations
    given_pairs: set[tuple[str, str]] = set()
    for pair in table.correlations:
        first, second = pair.between
        if (first, second) in given_pairs:
            raise ConfigError(
                f"{source}: population.correlations: {first} - {second} is given twice. Keep one."
            )
        given_pairs.add((first, second))
        correlations[first, second] = pair.value
    with at(source, "population"):
        return Population(
            table.size,
            table.seed,
            {
                **({} if base is None else base.parameters),
                **_distributions(table.parameters, source, "population.parameters"),
            },
            correlations,
            mixture,
            sampling=table.sampling,
        )


def _like(table: PopulationTable, model: Model, source: str) -> Population:
    """One of the model's populations: its name, or a table of ``name`` and options."""
    options = {"name": table.like} if isinstance(table.like, str) else dict(table.like or {})
    key = "population.like"
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(
            f'{source}: {key}: there is no name. Write like = "adults_19_28z", or a table '
            f'such as {{ name = "adults_19_28z", region = "China" }}.'
        )
    with at(source, key):
        for option in ("size", "seed"):  # stand beside it, in [population]
            if option in options:
                raise ScenarioError(
                    f"population '{name}' has no option '{option}'. Give it beside."
                )
        return named_population(model, name, table.size, table.seed, **options)


def _distributions(
    given: Mapping[str, Any], source: str, key: str
) -> dict[str, Distribution | float]:
    made: dict[str, Distribution | float] = {}
    for name, value in flatten(given, source, key, leaf="distribution").items():
        where = f"{key}.{name}"
        if isinstance(value, dict):
            made[name] = _of_kind(
                DISTRIBUTIONS, "distribution", dict(value), "distribution", source, where
            )
        elif isinstance(value, int | float) and not isinstance(value, bool):
            made[name] = float(value)
        else:
            raise ConfigError(
                f"{source}: {where}: {wrong_kind(value)}. Give a number or a "
                f'distribution, such as {{ distribution = "lognormal", median = 1.0, cv = 0.3 }}.'
            )
    return made


def _therapy(given: Mapping[str, Any], source: str, key: str) -> Item:
    options = dict(given)
    if isinstance(options.get("do"), dict):
        options["do"] = [options["do"]]
    if "do" in options:
        actions = options["do"]
        if not isinstance(actions, list) or not all(isinstance(each, dict) for each in actions):
            raise ConfigError(f"{source}: {key}.do: give a list of tables, one an action.")
        options["do"] = [
            _of_kind(ACTIONS, "action", dict(each), "action", source, f"{key}.do[{number}]")
            for number, each in enumerate(actions)
        ]
    if "assay" in options:
        where = f"{key}.assay"
        options["assay"] = _construct(Assay, _table(options["assay"], source, where), source, where)
    if "for_whom" in options:
        given_for = options["for_whom"]
        who = given_for if isinstance(given_for, list) else [given_for]
        places = [f"{key}.for_whom[{number}]" for number in range(len(who))]
        options["for_whom"] = [
            _construct(Baseline, _table(each, source, place), source, place)
            for each, place in zip(who, places, strict=True)
        ]
    inside = {"regimen": "items", "choice": "options"}.get(str(options.get("kind")))
    if inside is not None and inside in options:
        items = _table(options[inside], source, f"{key}.{inside}")
        options[inside] = {
            name: _therapy(_table(item, source, place), source, place)
            for name, item in items.items()
            for place in [f"{key}.{inside}.{name}"]
        }
    return _of_kind(ITEMS, "therapy item", options, "kind", source, key)


def _table(value: object, source: str, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{source}: {key}: {wrong_kind(value)}. Give a table.")
    return value


def _of_kind(
    kinds: Mapping[str, type[T]],
    what: str,
    options: dict[str, Any],
    selector: str,
    source: str,
    key: str,
) -> T:
    choices = ", ".join(kinds)
    if selector not in options:
        raise ConfigError(f"{source}: {key}.{selector}: the key is missing. Give one of {choices}.")
    kind = options.pop(selector)
    if not isinstance(kind, str) or kind not in kinds:
        hint = did_you_mean(str(kind), kinds)
        raise ConfigError(f"{source}: {key}.{selector}: there is no {what} {shown(kind)}.{hint}")
    return _construct(kinds[kind], options, source, key)


def _construct(kind: Callable[..., T], options: Mapping[str, Any], source: str, key: str) -> T:
    """Call a dataclass with the keys of a table; its own checks judge the values."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    for name in options:
        if name not in fields:
            hint = did_you_mean(name, fields)
            raise ConfigError(f"{source}: {key}.{name}: unknown key.{hint}")
    for name, field in fields.items():
        default = field.default is not dataclasses.MISSING
        default = default or field.default_factory is not dataclasses.MISSING
        if not default and name not in options:
            raise ConfigError(f"{source}: {key}.{name}: the key is missing. Add it.")
    for name, value in options.items():
        expected = {part.strip() for part in str(fields[name].type).split("|")} - {"None"}
        if expected == {"str"} and not isinstance(value, str):
            raise ConfigError(f"{source}: {key}.{name}: {wrong_kind(value)}. Give a text.")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if expected <= {"float", "int"} and not is_number:
            raise ConfigError(f"{source}: {key}.{name}: {wrong_kind(value)}. Give a number.")
    with at(source, key):
        return kind(**options)


def build_axis(given: AxisTable) -> Axis:
    """Make one axis of a sweep, or one factor of a sensitivity study."""
    return Axis(
        given.path,
        given.values,
        given.low,
        given.high,
        given.scale,
        given.points,
        given.name,
        given.label,
    )


def _save_at(table: ConfigTable, source: str) -> NDArray[np.float64] | None:
    time = table.time
    if time.save_at is not None:
        return np.array(time.save_at, dtype=np.float64)
    if time.save_every is None:
        return None
    slack = 1e-9 * time.save_every
    count = (time.stop - time.start + slack) // time.save_every
    if count > MOST_TIMES:
        raise ConfigError(
            f"{source}: time.save_every: {time.save_every:g} gives {count:,.0f} times. Save less "
            f"often."
        )
    steps = np.arange(int(count) + 1, dtype=np.float64)
    times: NDArray[np.float64] = time.start + time.save_every * steps
    if time.stop - times[-1] > slack:
        # The end is saved also when the last interval is shorter than the others.
        return np.append(times, time.stop)
    times[-1] = time.stop
    return times


def _model_name(name: str, folder: Path | None) -> str:
    is_file = name.endswith(".py")
    if is_file and folder is not None and not Path(name).is_absolute():
        return str(folder / name)
    return name
