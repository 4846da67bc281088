"""``carsim run``: one scenario, its courses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from carsim.config import Config


@click.command()
@click.argument("file", metavar="SCENARIO.TOML")
@click.option("--out", metavar="DIR|FILE.nc", help="Where to write (default: results/NAME).")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value.")
@click.option("--threads", type=click.IntRange(1), help="Threads (default: all processors).")
@click.option("--overwrite", is_flag=True, help="Replace an older result.")
@click.option("--no-figures", is_flag=True, help="Write numbers only.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def run(
    file: str,
    out: str | None,
    overrides: tuple[str, ...],
    threads: int | None,
    overwrite: bool,
    no_figures: bool,
    quiet: bool,
) -> None:
    """Simulate one patient or one population and save the courses.

    Writes result.nc (netCDF4), config.toml and figures into a folder, or only the file that --out
    names. Example of a change: --set population.size=1000
    """
    from carsim.cli.check import describe
    from carsim.cli.output import CONFIG, plan_target, write_config, write_result
    from carsim.cli.progress import progress
    from carsim.cli.summary import print_run
    from carsim.config import read_config
    from carsim.errors import ConfigError

    config = read_config(file, overrides)
    if config.sweep is not None:
        raise ConfigError(f"{file}: has a table [sweep]. Run it with: carsim sweep {file}")
    target = plan_target(out, file, overwrite)
    scenario = config.scenario
    if threads is not None:
        scenario = scenario.replace("solver.threads", threads)
    if not quiet:
        click.echo(config.title or file)
        for line in describe(config):
            click.echo(f"  {line}")
    from carsim.simulation import simulate  # compiles; not before the file is known to be good

    with progress("patients", quiet) as report:
        dataset = simulate(scenario, progress=report)
    dataset.attrs.update(_origin(config))
    write_result(dataset, target.result)
    written = [target.result]
    if not target.alone:
        write_config(config, "run", file, target.folder / CONFIG)
        written.append(target.folder / CONFIG)
        if not no_figures:
            from carsim.plots import write_run_figures

            written.extend(write_run_figures(dataset, target.folder))
    if not quiet:
        print_run(dataset, scenario.endpoints)
        for path in written:
            click.echo(f"wrote {path}")


def _origin(config: Config) -> dict[str, str]:
    import json

    origin = {"config": config.text}
    if config.title:
        origin["title"] = config.title
    if config.overrides:
        origin["config_overrides"] = json.dumps(list(config.overrides))
    return origin
