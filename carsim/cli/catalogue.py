"""``carsim models``, ``carsim show`` and ``carsim catalogue``: what there is to simulate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from carsim.cli.tables import number, table

if TYPE_CHECKING:
    from carsim.model import Model


@click.command()
def models() -> None:
    """List the models that are installed."""
    from carsim.errors import CarsimError
    from carsim.registry import list_models, load_model

    rows = []
    for name in list_models():
        try:
            model = load_model(name)
        except CarsimError as error:
            rows.append((name, "-", "-", f"does not load: {error}"))
        else:
            sizes = str(len(model.states)), str(len(model.parameters))
            rows.append((name, *sizes, title_of(model)))
    table(("model", "states", "parameters", "about"), rows, indent=0)


@click.command(short_help="Print what a model is made of, with units and sources.")
@click.argument("model")
@click.option("--equations", is_flag=True, help="Print the equations in LaTeX instead.")
def show(model: str, equations: bool) -> None:
    """Print the states, parameters, observables, routes and variants of MODEL.

    MODEL is a name from `carsim models`, a module, or a file such as ./my_model.py.
    """
    from carsim.registry import load_model

    loaded = load_model(model)
    if equations:
        _show_equations(loaded)
        return
    click.echo(f"{loaded.name}: {title_of(loaded)}")
    click.echo(f"  time in {loaded.time_unit}; defined in {loaded.file}")
    if loaded.reference:
        click.echo(f"  reference: {loaded.reference}")
    _show_states(loaded)
    _show_parameters(loaded)
    _show_offers(loaded)


@click.command(short_help="Print or write the catalogue of a package of models.")
@click.option("--write", "writes", is_flag=True, help="Write README.md and VOCABULARY.md.")
@click.option("--package", metavar="NAME", help="Package, if several are installed.")
def catalogue(writes: bool, package: str | None) -> None:
    """Print the catalogue of a package of models, or write it where the package is developed.

    With --write, README.md beside the package gets the catalogue between its two marks, and
    VOCABULARY.md what every name means.
    """
    from carsim import catalogue as room

    found = room.find_package(package)
    if not writes:
        click.echo(room.catalogue(found), nl=False)
        return
    for path in room.write(found):
        click.echo(f"wrote {path}")


def title_of(model: Model) -> str:
    """First sentence of a model's description."""
    return model.doc.strip().partition("\n")[0] or model.reference or "(no description)"


def _counted(parameters: int) -> str:
    return f"{parameters} parameter{'' if parameters == 1 else 's'}"


def _show_equations(model: Model) -> None:
    from carsim.symbolic.latex import equations

    click.echo("\n".join(equations(model)))


def _show_states(model: Model) -> None:
    click.echo(f"\nstates ({len(model.states)})")
    own = model.initial is not None or model.initialise is not None
    initial = "initial" if not own else ""
    rows = [
        (state.name, "" if own else number(state.initial), state.unit, state.words)
        for state in model.states
    ]
    table(("name", initial, "unit", "what"), rows)
    if own:
        click.echo("  initial values follow from the parameters")


def _show_parameters(model: Model) -> None:
    click.echo(f"\nparameters ({len(model.parameters)})")
    rows = [
        (
            item.name,
            "computed" if item.computed else number(item.value),
            item.unit,
            item.words,
            item.provenance.text,
        )
        for item in model.parameters
    ]
    table(("name", "value", "unit", "what", "source"), rows)


def _show_offers(model: Model) -> None:
    click.echo(f"\nobservables ({len(model.observables)})")
    rows = [(item.name, item.unit, item.words) for item in model.observables]
    table(("name", "unit", "what"), rows)
    click.echo(f"\nroutes ({len(model.routes)})")
    rows = [(item.name, item.unit, item.words) for item in model.routes.values()]
    table(("name", "unit", "what"), rows)
    click.echo(f"\nvariants ({len(model.variants)})")
    groups = [
        (item.name, item.group or "", f"{item.words} ({_counted(len(item.values))})")
        for item in model.variants.values()
    ]
    table(("name", "group", "what"), groups)
    from carsim.population import named_populations

    populations = named_populations(model)
    click.echo(f"\npopulations ({len(populations)})")
    patients = [
        (name, f"{each.words}; options {', '.join(each.options)}")
        for name, each in populations.items()
    ]
    table(("name", "what"), patients)
