"""``carsim check`` says whether a model, or a config file, is as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from carsim.cli.tables import number, table

if TYPE_CHECKING:
    from carsim.config import Config
    from carsim.model import Model

NO_MODEL = (".toml", ".yaml", ".yml", ".json")


@click.command(short_help="Check a model, or a config file without running it.")
@click.argument("what", metavar="MODEL|FILE")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change one value of the file, or a parameter of the model.",
)
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Variant of the model.")
@click.option("--steady-state", is_flag=True, help="Which states are not steady at the start?")
@click.option("--conservation", is_flag=True, help="Which sums of states are conserved?")
@click.option("--recovery", is_flag=True, help="Does it return from a disturbance, how fast?")
@click.option("--span", default=365.0, show_default=True, help="How long to wait for that.")
def check(
    what: str,
    overrides: tuple[str, ...],
    variants: tuple[str, ...],
    steady_state: bool,
    conservation: bool,
    recovery: bool,
    span: float,
) -> None:
    """Check a model (units, equations, a first simulation) or a config file (without running it).

    MODEL is a name from `carsim models`, a module, or a file such as ./my_model.py; FILE is a
    TOML file. More about a model, without therapy: --steady-state, --conservation, --recovery.
    """
    asked = variants or steady_state or conservation or recovery
    if Path(what).suffix.lower() in NO_MODEL:
        if asked:
            raise click.UsageError(
                f"{what} is a file; --variant, --steady-state, --conservation and --recovery are "
                "for a model. Give the model's name."
            )
        _check_file(what, overrides)
        return
    _check_model(what)
    parameters = dict(_assignment(text) for text in overrides)
    if steady_state:
        _print_steady_state(what, parameters, variants)
    if conservation:
        _print_conservation(what, parameters, variants, span)
    if recovery:
        _print_recovery(what, parameters, variants, span)


def _assignment(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.removeprefix("parameters."), float(value)
    except ValueError:
        raise click.UsageError(
            f"--set {text}: of a model, give a parameter and a number: --set NAME=1.5."
        ) from None


def _check_file(file: str, overrides: tuple[str, ...]) -> None:
    from carsim.config import read_config

    config = read_config(file, overrides)
    click.echo(f"{file}: {config.title or 'no title'}")
    click.echo(f"  model {config.scenario.model.name}")
    for line in describe(config):
        click.echo(f"  {line}")
    study = config.sensitivity
    if study is not None:
        from carsim.sensitivity import Study
        from carsim.sweep import estimate

        size = f": {estimate(study.sweep).lines()[0]}" if isinstance(study, Study) else ""
        click.echo(f"  sensitivity by {study.method}{size}")
    click.echo("  all names, values and units are known")


def describe(config: Config) -> list[str]:
    """Say in a few lines what a config asks for."""
    scenario = config.scenario
    unit = scenario.model.time_unit
    lines = [f"from {scenario.start:g} to {scenario.stop:g} {unit}"]
    if scenario.infusion:
        lines.append(f"infusion at {scenario.infusion:g} {unit}")
    if scenario.therapy:
        lines.append(f"therapy: {', '.join(scenario.therapy)}")
    if scenario.endpoints:
        lines.append(f"endpoints: {', '.join(scenario.endpoints)}")
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


def _print_steady_state(name: str, parameters: dict[str, float], variants: tuple[str, ...]) -> None:
    from carsim.credibility import steady_state
    from carsim.registry import load_model

    model = load_model(name)
    found = steady_state(model, parameters, variants)
    moving = found.isel(state=~found.steady.values).sortby("relative_rate", ascending=False)
    click.echo(
        f"steady state: {found.sizes['state'] - moving.sizes['state']} of "
        f"{found.sizes['state']} states are steady at the start"
    )
    rows = [
        (
            str(state),
            number(float(one.value)),
            number(float(one.rate)),
            str(one.unit.values),
            number(float(one.relative_rate)),
        )
        for state in moving.state.values
        for one in [moving.sel(state=state)]
    ]
    table(("not steady", "value", "rate", "unit", f"relative, 1/{model.time_unit}"), rows)
    leading = found.isel(mode=0)
    growth = float(leading.eigenvalue_real)
    verdict = "disturbances grow" if growth > 0.0 else "disturbances decay"
    click.echo(f"  largest eigenvalue {number(growth)} 1/{model.time_unit}: {verdict}")


def _print_conservation(
    name: str, parameters: dict[str, float], variants: tuple[str, ...], span: float
) -> None:
    from carsim.credibility import conserved, drift
    from carsim.registry import load_model

    model = load_model(name)
    laws = conserved(model, parameters, variants)
    click.echo(f"conservation: {len(laws)} sums of states are conserved")
    drifts = drift(model, laws, parameters, variants, stop=span) if laws else []
    rows = [(str(law), f"{value:.1e}") for law, value in zip(laws, drifts, strict=True)]
    table(("conserved", f"relative drift in {number(span)} {model.time_unit}"), rows)


def _print_recovery(
    name: str, parameters: dict[str, float], variants: tuple[str, ...], span: float
) -> None:
    from carsim.credibility import recovery
    from carsim.registry import load_model

    model = load_model(name)
    found = recovery(model, parameters, variants, stop=span)
    click.echo(f"recovery from 10 % more of a state, within {number(span)} {model.time_unit}")
    rows = [
        (
            str(state),
            number(float(one.largest)),
            number(float(one.time_to_return)),
            number(float(one.predicted_time)),
        )
        for state in found.state.values
        for one in [found.sel(state=state)]
    ]
    unit = model.time_unit
    table(("state", "largest", f"back after, {unit}", f"linearized, {unit}"), rows)
