"""``carsim sensitivity-local``: what the parameters of one patient do to the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from carsim.cli.tables import number, table

if TYPE_CHECKING:
    import xarray as xr

MOST_ROWS = 20


@click.command(short_help="Exact derivatives of one patient's outputs by the parameters.")
@click.argument("file", metavar="SCENARIO.TOML")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME", help="Default: all.")
@click.option("--output", "outputs", multiple=True, metavar="NAME", help="Default: the file's.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value.")
@click.option("--identifiability", is_flag=True, help="Can the outputs tell the parameters apart?")
@click.option("--out", metavar="FILE.nc", help="Write the numbers, too.")
@click.option("--overwrite", is_flag=True, help="Replace an older file.")
def sensitivity_local(
    file: str,
    parameters: tuple[str, ...],
    outputs: tuple[str, ...],
    overrides: tuple[str, ...],
    identifiability: bool,
    out: str | None,
    overwrite: bool,
) -> None:
    """Print by how many percent outputs change with one percent of each parameter.

    Of a population the patient with the scenario's own values is taken. `initial.NAME` is the
    initial value of a state.
    """
    import dataclasses

    from carsim.cli.output import plan_target, write_result
    from carsim.config import read_config
    from carsim.credibility import identifiability as screen
    from carsim.credibility import local_sensitivity
    from carsim.errors import ConfigError

    scenario = read_config(file, overrides).scenario
    if out is not None and not out.endswith(".nc"):
        raise ConfigError(f"--out {out}: give the name of a file that ends in .nc.")
    target = None if out is None else plan_target(out, file, overwrite)
    if scenario.population is not None:
        click.echo("the patient with the scenario's own values, in place of the population")
    kept = tuple(outputs) or scenario.outputs
    scenario = dataclasses.replace(
        scenario, population=None, metrics={}, endpoints={}, outputs=kept
    )
    found = local_sensitivity(scenario, parameters or None)
    for output in found.output.values:
        _print_output(found.sel(output=output))
    for name, why in zip(found.parameter.values, found.why.values, strict=True):
        if str(why):
            click.echo(f"{name}: {why}")
    if identifiability:
        _print_screen(screen(found))
    if target is not None:
        write_result(found, target.result)
        click.echo(f"wrote {target.result}")


def _print_output(found: xr.Dataset) -> None:
    import numpy as np

    unit = str(found.time.attrs["carsim_units"])
    click.echo(f"{found.output.values}: percent of it per percent of the parameter")
    # Where the output is zero, there is no elasticity.
    largest = np.abs(found.elasticity).where(np.isfinite(found.elasticity)).max("time").fillna(0.0)
    order = np.argsort(-largest.values, kind="stable")
    rows = []
    for k in order[:MOST_ROWS]:
        one = found.isel(parameter=int(k))
        course = np.where(np.isfinite(one.elasticity.values), one.elasticity.values, 0.0)
        place = int(np.argmax(np.abs(course)))
        rows.append(
            (
                str(one.parameter.values),
                number(float(course[place])),
                number(float(one.time[place])),
                number(float(one.elasticity[-1])),
                str(one.parameter_words.values),
            )
        )
    table(("parameter", "largest", f"at, {unit}", "at the end", "what"), rows)
    if len(order) > MOST_ROWS:
        click.echo(f"  and {len(order) - MOST_ROWS} more with less")


def _print_screen(screen: xr.Dataset) -> None:
    import numpy as np

    from carsim.credibility import COLLINEAR

    names = [str(name) for name in screen.parameter.values]
    click.echo(
        f"identifiability at these times, errors of 10 %: rank {screen.attrs['rank']} of "
        f"{len(names)} parameters; collinearity index {number(screen.attrs['index'])} "
        f"(not above {COLLINEAR:g})"
    )
    unseen = [name for name, seen in zip(names, screen.seen.values, strict=True) if not seen]
    if unseen:
        click.echo(f"  not seen at all: {', '.join(unseen)}")
    if screen.attrs["unidentified"]:
        click.echo(f"  combinations that change nothing: {screen.attrs['unidentified']}")
    pairs = screen.collinearity.values
    rows = [
        (names[a], names[b], number(float(pairs[a, b])))
        for a, b in zip(*np.triu_indices(len(names), 1), strict=True)
        if pairs[a, b] >= COLLINEAR
    ]
    rows.sort(key=lambda row: -float(row[2]))
    table(("parameter", "like", "collinearity index"), rows[:MOST_ROWS])
