"""``carsim report``: one page for one sweep."""

from __future__ import annotations

from pathlib import Path

import click

from carsim.errors import CarsimError


@click.command(short_help="Write one page (HTML) about the result of a sweep.")
@click.argument("store", metavar="STORE")
@click.option("--out", metavar="FILE.html", help="Where to write (default: report.html beside it).")
@click.option(
    "--patients",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="Patients whose courses are simulated again, in each of up to three cells.",
)
@click.option("--overwrite", is_flag=True, help="Replace an older report.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def report(store: str, out: str | None, patients: int, overwrite: bool, quiet: bool) -> None:
    """Write one page about a sweep: the question, the patients, risks, courses, sources.

    STORE is the folder that `carsim sweep` wrote, finished or not, or a file that ends in .nc. The
    page is one HTML file that needs nothing beside itself and runs no script.
    """
    from carsim.cli.output import plan_page
    from carsim.cli.progress import progress
    from carsim.sweep import open_result

    target = plan_page(out, Path(store), overwrite)
    with open_result(store) as result, progress("sections", quiet) as update:
        from carsim.report import write_report  # takes its time to import; not before STORE is good

        try:
            written = write_report(result, target, patients=patients, store=store, progress=update)
        except OSError as error:
            raise CarsimError(f"{store}: cannot be read to its end: {error}.") from None
    if not quiet:
        click.echo(f"wrote {written} ({written.stat().st_size / 1e6:.1f} MB)")
