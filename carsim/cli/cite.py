"""``carsim cite``: what to cite for a result."""

from __future__ import annotations

import click


@click.command()
@click.argument("result", metavar="RESULT")
@click.option("--bibtex", is_flag=True, help="Print BibTeX entries instead.")
@click.option("--all", "everything", is_flag=True, help="List derived and assumed numbers, too.")
def cite(result: str, bibtex: bool, everything: bool) -> None:
    """Say what to cite for a result: carsim, the model, the papers of its numbers, the solver.

    RESULT is what `carsim run` or `carsim sweep` wrote: a folder or a netCDF file. Numbers that
    the run itself gave are not cited, and those that nobody published are counted.
    """
    from carsim.citations import cite as collect
    from carsim.sweep import open_result

    found = collect(open_result(result))
    click.echo(found.bibtex() if bibtex else found.text(everything=everything))
