"""``carsim verify``: carsim beside published results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from carsim.cli.exit_codes import INTERRUPTED, OUTSIDE

if TYPE_CHECKING:
    from carsim.verification import Check
    from carsim.verification.report import Report


@click.command(short_help="Compare carsim with published results, and report.")
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True, help="Only checks that take less than a second each.")
@click.option("--list", "only_list", is_flag=True, help="List the checks; run none.")
@click.option(
    "--kind", metavar="KIND", help="reproduction, closed-form, cohort[-fitted|-predicted]."
)
@click.option("--out", metavar="DIR", default="results/verify", show_default=True)
@click.pass_context
def verify(
    ctx: click.Context,
    names: tuple[str, ...],
    quick: bool,
    only_list: bool,
    kind: str | None,
    out: str,
) -> None:
    """Run the published checks and write a report (HTML) and its numbers (JSON).

    NAMES are checks, or files of checks; all by default. The files carry date and time in their
    names. Ends with 0 if all rows are inside their tolerance, with 1 if any is outside or any
    check failed, with 2 on bad input, with 130 when interrupted (what finished is written).
    """
    from carsim.verification import choose_checks, load_checks

    known = load_checks()
    checks = choose_checks(known, names, quick=quick, kind=kind)
    if only_list:
        _print_checks(checks)
        return
    import datetime
    import json
    import time

    from carsim.cli.output import plan_folder, write_text
    from carsim.cli.progress import progress
    from carsim.verification.page import page
    from carsim.verification.report import Report, document, revision, versions
    from carsim.verification.run import run_checks

    folder = plan_folder(out)
    begun = datetime.datetime.now().astimezone()
    clock = time.perf_counter()
    with progress("checks", quiet=False) as update:
        # Quick ones first: an interrupt then costs least.
        outcomes, not_run = run_checks(sorted(checks, key=lambda each: not each.quick), update)
    report = Report(
        tuple(outcomes),
        tuple(not_run),
        len(known),
        _command(names, quick, kind),
        begun,
        time.perf_counter() - clock,
        versions(),
        revision(),
    )
    stem = f"verify-{begun:%Y-%m-%d-%H%M%S}"
    write_text(page(report), folder / f"{stem}.html")
    numbers = json.dumps(document(report), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(numbers + "\n", folder / f"{stem}.json")
    _print_report(report)
    for suffix in ("html", "json"):
        click.echo(f"wrote {folder / stem}.{suffix}")
    if not report.complete:
        ctx.exit(INTERRUPTED)
    if not report.holds:
        ctx.exit(OUTSIDE)


def _command(names: tuple[str, ...], quick: bool, kind: str | None) -> str:
    """Spell the command that chooses the same checks."""
    import shlex

    chosen = ["--quick"] * quick + ([] if kind is None else ["--kind", kind])
    return shlex.join(["carsim", "verify", *names, *chosen])


def _print_checks(checks: list[Check]) -> None:
    from carsim.cli.tables import table

    rows = [(each.name, each.kind, "quick" if each.quick else "", each.title) for each in checks]
    table(("check", "kind", "", "what"), rows, indent=0)


def _print_report(report: Report) -> None:
    from carsim.cli.tables import number, table
    from carsim.verification import KINDS
    from carsim.verification.report import COHORTS, REQUIRED_SHARE

    rows = []
    for name, counts in [(kind, report.tally(kind)) for kind in KINDS] + [("all", report.tally())]:
        numbers = (counts.checks, counts.rows, counts.inside, counts.outside, counts.failed)
        if counts.checks or name == "all":
            rows.append((name, *map(str, numbers)))
    table(("kind", "checks", "rows", "inside", "outside", "failed"), rows)
    count = len(report.outcomes) + len(report.not_run)
    cohorts = report.tally(*COHORTS)
    if cohorts.share is not None:
        share = f"{cohorts.percent}, at least {100 * REQUIRED_SHARE:.0f} % wanted"
        click.echo(f"cohort rows inside: {cohorts.inside} of {cohorts.rows} ({share})")
    for outcome in report.of():
        if outcome.error:
            click.echo(f"FAILED   {outcome.check.name}: {outcome.error}")
        for row in outcome.rows:
            if not row.inside:
                unit = "" if row.unit == "1" else f" {row.unit}"
                click.echo(
                    f"OUTSIDE  {outcome.check.name}: {row.quantity}: {number(row.found)}{unit}, "
                    f"{row.basis} {number(row.published)}, tolerated {number(row.lowest)} to "
                    f"{number(row.highest)}"
                )
    if report.complete:
        click.echo(f"took {report.seconds:.1f} s")
    else:
        click.echo(f"interrupted; not run: {len(report.not_run)} of {count} checks")
