"""``carsim rerun``: a finished sweep once more, to see that it gives the same bits."""

from __future__ import annotations

import click

from carsim.cli.exit_codes import DIFFERENT


@click.command(short_help="Run a finished sweep again and compare its digest.")
@click.argument("store", metavar="STORE")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def rerun(ctx: click.Context, store: str, quiet: bool) -> None:
    """Compute a finished sweep again from what its store says, and compare every bit.

    STORE is the folder that `carsim sweep` wrote. Nothing is written. Ends with 1 if any number
    differs.
    """
    from carsim.cli.progress import progress
    from carsim.sweep import rerun as run_again

    with progress("trajectories", quiet) as report:
        found = run_again(store, progress=report)
    click.echo(f"stored  {found.stored}")
    click.echo(f"again   {found.digest}")
    if found.versions:
        click.echo(f"other versions than then: {found.versions}")
    if found.same:
        click.echo(f"every bit is the same ({found.blocks:,} blocks)")
        return
    names = ", ".join(map(str, found.different[:10])) + (", ..." * (len(found.different) > 10))
    click.echo(f"{len(found.different):,} of {found.blocks:,} blocks differ: {names}")
    ctx.exit(DIFFERENT)
