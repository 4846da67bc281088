"""``carsim sweep``: every combination of assumptions, the same virtual patients in each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import xarray as xr

    from carsim.cli.output import Target
    from carsim.sweep import Sweep


@click.command(short_help="Simulate all cells of a sweep and save the endpoints.")
@click.argument("file", metavar="SWEEP.TOML")
@click.option("--out", metavar="DIR|FILE.nc", help="Where to write (default: results/NAME).")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change one value.")
@click.option("--threads", type=click.IntRange(1), help="Threads (default: all processors).")
@click.option("--resume", is_flag=True, help="Go on with a sweep that was interrupted.")
@click.option("--overwrite", is_flag=True, help="Replace an older result.")
@click.option("--block-size", type=click.IntRange(1), help="Most trajectories in a block.")
@click.option("--local-cluster", type=click.IntRange(1), metavar="N", help="N worker processes.")
@click.option("--scheduler", metavar="ADDRESS", help="Workers of a Dask scheduler.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and stop.")
@click.option("--no-figures", is_flag=True, help="Write numbers only.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def sweep(
    file: str,
    out: str | None,
    overrides: tuple[str, ...],
    threads: int | None,
    resume: bool,
    overwrite: bool,
    block_size: int | None,
    local_cluster: int | None,
    scheduler: str | None,
    dry_run: bool,
    no_figures: bool,
    quiet: bool,
) -> None:
    """Simulate all cells of a sweep and save the endpoints of every patient.

    Writes a folder: a Zarr store with a journal, config.toml and figures. It may be interrupted or
    killed at any moment; --resume finishes it to the same bits. Or writes only the netCDF file that
    --out names, for results that memory holds. Numbers depend neither on threads, nor blocks, nor
    workers (--local-cluster, --scheduler; these need the extra carsim[dask]).
    """
    import dataclasses

    from carsim.cli.output import CONFIG, FIGURES, plan_store, plan_target, write_config
    from carsim.cli.summary import print_sweep
    from carsim.config import read_config
    from carsim.errors import ConfigError
    from carsim.sweep import estimate

    _check_options(out, resume, overwrite, local_cluster, scheduler)
    config = read_config(file, overrides)
    planned = config.sweep
    if planned is None:
        raise ConfigError(f"{file}: has no table [sweep]. Run it with: carsim run {file}")
    in_memory = out is not None and out.endswith(".nc")
    target = (
        plan_target(out, file, overwrite) if in_memory else plan_store(out, file, resume, overwrite)
    )
    if threads is not None:
        scenario = planned.scenario.replace("solver.threads", threads)
        planned = dataclasses.replace(planned, scenario=scenario)
    if not quiet or dry_run:
        click.echo(config.title or file)
        for line in estimate(planned, block_size).lines():
            click.echo(f"  {line}")
    if dry_run:
        return
    if in_memory:
        dataset = _into_memory(planned, target, block_size, quiet)
    else:
        dataset = _into_store(
            planned,
            target,
            quiet,
            resume=resume,
            overwrite=overwrite,
            block_size=block_size,
            workers=_workers(local_cluster, scheduler),
        )
    written = [target.result]
    if not in_memory:
        write_config(config, "sweep", file, target.folder / CONFIG)
        written.append(target.folder / CONFIG)
        if not no_figures:
            written.extend(_figures(planned, dataset, target.folder / FIGURES))
    if not quiet:
        print_sweep(dataset, planned.scenario.endpoints)
        for path in written:
            click.echo(f"wrote {path}")


def _check_options(
    out: str | None,
    resume: bool,
    overwrite: bool,
    local_cluster: int | None,
    scheduler: str | None,
) -> None:
    from carsim.errors import ConfigError

    if resume and overwrite:
        raise ConfigError("--resume goes on with a result, --overwrite removes it: give one.")
    if local_cluster is not None and scheduler is not None:
        raise ConfigError("--local-cluster and --scheduler both say who works: give one.")
    if out is not None and out.endswith(".nc"):
        given = {"--resume": resume, "--local-cluster": local_cluster, "--scheduler": scheduler}
        for option, value in given.items():
            if value:
                raise ConfigError(f"{option} needs a folder: --out {out} is one file.")


def _into_memory(sweep: Sweep, target: Target, block_size: int | None, quiet: bool) -> xr.Dataset:
    from carsim.cli.output import write_result
    from carsim.cli.progress import progress
    from carsim.sweep import run

    with progress("trajectories", quiet) as report:
        dataset = run(sweep, progress=report, block_size=block_size)
    write_result(dataset, target.result)
    return dataset


def _into_store(
    sweep: Sweep, target: Target, quiet: bool, *, overwrite: bool, **options: Any
) -> xr.Dataset:
    from carsim.cli.progress import progress
    from carsim.sweep import remove_store, run_to_store

    def say(sentence: str) -> None:
        click.echo(f"  {sentence}", err=True)

    if overwrite:
        remove_store(target.folder)
    try:
        with progress("trajectories", quiet) as report:
            return run_to_store(sweep, target.folder, progress=report, say=say, **options)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted. What is finished is in {target.folder}: go on with --resume."
        ) from None


def _workers(local_cluster: int | None, scheduler: str | None) -> Any:
    if local_cluster is None and scheduler is None:
        return None
    from carsim.sweep.distributed import DaskWorkers

    return DaskWorkers(scheduler=scheduler, local_processes=local_cluster)


def _figures(sweep: Sweep, dataset: xr.Dataset, folder: Path) -> list[Path]:
    from carsim.plots import write_sweep_figures
    from carsim.sweep import examples

    courses = examples(sweep, dataset) if sweep.scenario.outputs else None
    return write_sweep_figures(dataset, folder, courses)
