"""Opening results: a store's folder or a netCDF file, without reading more than is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from carsim.errors import CarsimError
from carsim.sweep.store.folder import is_store

if TYPE_CHECKING:
    import xarray as xr


def open_result(path: Path | str) -> xr.Dataset:
    """Open the result of a sweep or of a simulation.

    Parameters
    ----------
    path : path
        Folder that `run_to_store` or ``carsim sweep --out`` wrote, perhaps not finished yet, or
        a netCDF file.

    Returns
    -------
    xarray.Dataset
        Reads from the disk what is looked at.

    Raises
    ------
    CarsimError
        There is no such result.
    """
    import xarray as xr

    path = Path(path)
    if path.is_dir() and is_store(path):
        store: xr.Dataset = xr.open_zarr(path, chunks=None)
        return store
    if path.is_dir():
        files = sorted(path.glob("*.nc"))
        hint = f" Did you mean {files[0]}?" if files else ""
        raise CarsimError(f"{path}: is a folder without the result of a sweep.{hint}")
    if not path.exists():
        raise CarsimError(f"{path}: there is no such file. Give a sweep's folder or a .nc file.")
    try:
        found = xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise CarsimError(
            f"{path}: cannot be read as netCDF4 ({error}). Give a sweep's folder or a .nc file."
        ) from None
    if "scenario" not in found.attrs:
        found.close()
        raise CarsimError(
            f"{path}: carsim did not write this file: it has no attribute 'scenario'. Give a "
            f"sweep's folder or the .nc file of a run."
        )
    return found
