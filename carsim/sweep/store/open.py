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
        raise CarsimError(f"{path}: does not exist. Give a sweep's folder or a netCDF file.")
    try:
        return xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise CarsimError(
            f"{path}: is not a netCDF file ({error}). Give a sweep's folder or a netCDF file."
        ) from None
