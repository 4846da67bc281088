"""``carsim sweep``: every combination of assumptions, the same virtual patients in each."""

from __future__ import annotations

import click


@click.command(short_help="Simulate all cells of a sweep and save the endpoints.")
@click.argument("file", metavar="SWEEP.TOML")
@click.option("--out", metavar="DIR|FILE.nc", help="Where to write (default: results/NAME).")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value.")
@click.option("--threads", type=click.IntRange(1), help="Threads (default: all processors).")
@click.option("--overwrite", is_flag=True, help="Replace an older result.")
@click.option("--no-figures", is_flag=True, help="Write numbers only.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def sweep(
    file: str,
    out: str | None,
    overrides: tuple[str, ...],
    threads: int | None,
    overwrite: bool,
    no_figures: bool,
    quiet: bool,
) -> None:
    """Simulate all cells of a sweep and save the endpoints of every patient.

    Writes result.nc (netCDF4), config.toml and figures into a folder, or only the file that --out
    names. Numbers do not depend on the number of threads.
    """
    import dataclasses

    from carsim.cli.output import CONFIG, plan_target, write_config, write_result
    from carsim.cli.progress import progress
    from carsim.cli.summary import print_sweep
    from carsim.config import read_config
    from carsim.errors import ConfigError
    from carsim.sweep import estimate
    from carsim.sweep import run as run_sweep

    config = read_config(file, overrides)
    planned = config.sweep
    if planned is None:
        raise ConfigError(f"{file}: has no table [sweep]. Run it with: carsim run {file}")
    target = plan_target(out, file, overwrite)
    if threads is not None:
        scenario = planned.scenario.replace("solver.threads", threads)
        planned = dataclasses.replace(planned, scenario=scenario)
    sizes = estimate(planned)
    sizes.check()
    if not quiet:
        click.echo(config.title or file)
        for line in sizes.lines():
            click.echo(f"  {line}")
    with progress("trajectories", quiet) as report:
        dataset = run_sweep(planned, progress=report)
    write_result(dataset, target.result)
    written = [target.result]
    if not target.alone:
        write_config(config, "sweep", file, target.folder / CONFIG)
        written.append(target.folder / CONFIG)
        if not no_figures:
            from carsim.plots import write_sweep_figures
            from carsim.sweep import examples

            courses = examples(planned, dataset) if planned.scenario.outputs else None
            written.extend(write_sweep_figures(dataset, target.folder, courses))
    if not quiet:
        print_sweep(dataset, planned.endpoints)
        for path in written:
            click.echo(f"wrote {path}")
