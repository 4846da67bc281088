"""The command ``carsim``.

Only click and the standard library are imported at the top of these files, so that
``carsim --help`` answers at once; each command imports what it needs when it runs.
"""

from __future__ import annotations

import sys

import click

from carsim.cli.catalogue import catalogue, models, show
from carsim.cli.check import check
from carsim.cli.cite import cite
from carsim.cli.exit_codes import BAD_INPUT, INTERRUPTED
from carsim.cli.export import export
from carsim.cli.report import report
from carsim.cli.rerun import rerun
from carsim.cli.run import run
from carsim.cli.sensitivity import sensitivity
from carsim.cli.sensitivity_local import sensitivity_local
from carsim.cli.status import status
from carsim.cli.sweep import sweep
from carsim.cli.verify import verify

__all__ = ["main"]


#: Characters of a refusal that are shown, for values of any length may stand in it.
LONGEST = 1_500


def paragraph(message: str) -> str:
    """One paragraph that a terminal can show: where at its beginning, what to do at its end.

    Parameters
    ----------
    message : str
        Words of an error, which may quote anything that a file holds.
    """
    words = " ".join(message.split())
    plain = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in words)
    if len(plain) <= LONGEST:
        return plain
    half = LONGEST // 2
    return f"{plain[:half]} ... {plain[-half:]}"


class Commands(click.Group):
    """The group of commands; what carsim refuses ends as one paragraph, not as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command and turn refusals into exit codes."""
        from carsim.errors import CarsimError

        try:
            return super().invoke(ctx)
        except CarsimError as error:
            click.echo(f"carsim {ctx.invoked_subcommand}: {paragraph(str(error))}", err=True)
            ctx.exit(BAD_INPUT)
        except KeyboardInterrupt as stop:
            words = str(stop) or "interrupted; nothing written."
            click.echo(f"carsim {ctx.invoked_subcommand}: {words}", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="carsim", message="%(prog)s %(version)s")
def main() -> None:
    """Simulate virtual patients under CAR-T therapy and ask for their risk of HBV reactivation."""
    # A reader that closes the pipe early (carsim show MODEL | head) is no error.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


main.add_command(run)
main.add_command(sweep)
main.add_command(status)
main.add_command(rerun)
main.add_command(export)
main.add_command(report)
main.add_command(models)
main.add_command(show)
main.add_command(check)
main.add_command(verify)
main.add_command(sensitivity)
main.add_command(sensitivity_local)
main.add_command(cite)
main.add_command(catalogue)
