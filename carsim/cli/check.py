"""``carsim check`` says whether a model, or a config file, is as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from carsim.config import Config
    from carsim.model import Model

NO_MODEL = (".toml", ".yaml", ".yml", ".json")


@click.command(short_help="Check a model, or a config file without running it.")
@click.argument("what", metavar="MODEL|FILE")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value.")
def check(what: str, overrides: tuple[str, ...]) -> None:
    """Check a model (units, equations, a first simulation) or a config file (without running it).

    MODEL is a name from `carsim models`, a module, or a file such as ./my_model.py; FILE is a
    TOML file.
    """
    if Path(what).suffix.lower() in NO_MODEL:
        _check_file(what, overrides)
    else:
        _check_model(what)


def _check_file(file: str, overrides: tuple[str, ...]) -> None:
    from carsim.config import read_config

    config = read_config(file, overrides)
    click.echo(f"{file}: {config.title or 'no title'}")
    click.echo(f"  model {config.scenario.model.name}")
    for line in describe(config):
        click.echo(f"  {line}")
    click.echo("  all names, values and units are known")


def describe(config: Config) -> list[str]:
    """Say in a few lines what a config asks for."""
    scenario = config.scenario
    unit = scenario.model.time_unit
    lines = [f"from {scenario.start:g} to {scenario.stop:g} {unit}"]
    if scenario.therapy:
        lines.append(f"therapy: {', '.join(scenario.therapy)}")
    if config.endpoints:
        lines.append(f"endpoints: {', '.join(config.endpoints)}")
    if config.sweep is not None:
        from carsim.sweep import estimate

        lines.extend(estimate(config.sweep).lines())
    elif scenario.population is not None:
        lines.append(f"{scenario.population.size:,} patients")
    return lines


def _check_model(name: str) -> None:
    from carsim.registry import load_model
    from carsim.testing import check_model

    model: Model = load_model(name)
    check_model(model)
    counts = f"{len(model.states)} states, {len(model.parameters)} parameters"
    click.echo(f"{model.name}: {counts}, {len(model.observables)} observables")
    click.echo("  units agree in every equation")
    click.echo("  every parameter has a unit and a source")
    click.echo("  compiled equations, Jacobian and observables equal the plain-Python ones")
    click.echo("  a simulation with the default values succeeds; no state turns negative")
