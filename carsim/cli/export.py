"""``carsim export``: a store as one netCDF file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write a sweep's store as one netCDF file.")
@click.argument("store", metavar="STORE")
@click.argument("file", metavar="FILE.nc")
@click.option("--overwrite", is_flag=True, help="Replace an older file.")
def export(store: str, file: str, overwrite: bool) -> None:
    """Write a sweep's store as one netCDF4 file, for results that memory holds."""
    from carsim.cli.output import write_result
    from carsim.errors import ConfigError
    from carsim.sweep import open_result

    path = Path(file)
    if path.suffix != ".nc":
        raise ConfigError(f"{file}: the name of a netCDF file ends in .nc.")
    if path.exists() and not overwrite:
        raise ConfigError(f"{file} exists already. Choose another, or give --overwrite.")
    write_result(open_result(store), path)
    click.echo(f"wrote {path}")
