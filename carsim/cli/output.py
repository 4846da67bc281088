"""Where results go: checked before anything is computed, written whole or not at all."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from carsim._version import __version__
from carsim.errors import ConfigError

if TYPE_CHECKING:
    import xarray as xr

    from carsim.config import Config

RESULT = "result.nc"
CONFIG = "config.toml"
FIGURES = "figures"


@dataclass(frozen=True)
class Target:
    """Where a command writes.

    Attributes
    ----------
    folder : Path
        Folder of everything that is written; made when the first file is.
    result : Path
        The file with the numbers.
    alone : bool
        Whether the result is all that is asked for (``--out FILE.nc``).
    """

    folder: Path
    result: Path
    alone: bool


def plan_target(out: str | None, config_file: str, overwrite: bool) -> Target:
    """Decide where to write, and refuse early what would fail late.

    Parameters
    ----------
    out : str or None
        ``--out``: a folder, or a file that ends in ``.nc``; ``results/NAME`` by default.
    config_file : str
        The config file, whose name the default takes.
    overwrite : bool
        Whether an older result may be replaced.
    """
    given = Path(out) if out is not None else Path("results") / Path(config_file).stem
    alone = given.suffix == ".nc"
    if not alone and given.is_file():
        raise ConfigError(f"--out {given}: is a file. Give a folder, or a file ending in .nc.")
    if alone and given.is_dir():
        raise ConfigError(f"--out {given}: is a folder. Give another name.")
    result = given if alone else given / RESULT
    if result.exists() and not overwrite:
        raise ConfigError(
            f"{result} exists already. Choose another --out, or replace it with --overwrite."
        )
    folder = result.parent
    _check_writable(folder)
    return Target(folder, result, alone)


def plan_store(out: str | None, config_file: str, resume: bool, overwrite: bool) -> Target:
    """Decide where the store of a sweep goes, and refuse early what would fail late.

    Parameters
    ----------
    out : str or None
        ``--out``: a folder; ``results/NAME`` by default.
    config_file : str
        The config file, whose name the default takes.
    resume, overwrite : bool
        What may happen with a store that is there.
    """
    from carsim.sweep import is_store

    given = out if out is not None else str(Path("results") / Path(config_file).stem)
    folder = plan_folder(given)
    if is_store(folder) and not resume and not overwrite:
        raise ConfigError(
            f"{folder} holds a sweep already. Go on with it (--resume), replace it (--overwrite), "
            f"or choose another --out."
        )
    return Target(folder, folder, False)


def plan_folder(out: str) -> Path:
    """Take ``--out`` for a folder, and refuse early what would fail late.

    Parameters
    ----------
    out : str
        ``--out``: a folder, which is made when the first file is.
    """
    folder = Path(out)
    if folder.is_file():
        raise ConfigError(f"--out {folder}: is a file. Give a folder.")
    _check_writable(folder)
    return folder


def plan_page(out: str | None, store: Path, overwrite: bool) -> Path:
    """Decide where a page about a result goes, and refuse early what would fail late.

    Parameters
    ----------
    out : str or None
        ``--out``; by default ``report.html`` in a folder, or the name of a file with ``.html``.
    store : Path
        The result: a folder or a file.
    overwrite : bool
        Whether an older page may be replaced.
    """
    beside = store / "report.html" if store.is_dir() else store.with_suffix(".html")
    page = beside if out is None else Path(out)
    if page.is_dir():
        raise ConfigError(
            f"--out {page}: is a folder. Give a file, such as {page / 'report.html'}."
        )
    if page.exists() and not overwrite:
        raise ConfigError(
            f"{page} exists already. Choose another --out, or replace it with --overwrite."
        )
    _check_writable(page.parent)
    return page


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to; the file takes its real name when it is complete.

    Parameters
    ----------
    path : Path
        Where the file shall be. An older one stays untouched until then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_result(dataset: xr.Dataset, path: Path) -> None:
    """Write a result as netCDF4.

    Parameters
    ----------
    dataset : xarray.Dataset
        The result.
    path : Path
        Where to; an older file is replaced.
    """
    try:
        with replacing(path) as partial:
            dataset.to_netcdf(partial, engine="h5netcdf", format="NETCDF4")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}.") from None


def write_text(text: str, path: Path) -> None:
    """Write a text file, whole or not at all.

    Parameters
    ----------
    text : str
        What it holds.
    path : Path
        Where to; an older file is replaced.
    """
    try:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}.") from None


def write_config(config: Config, command: str, file: str, path: Path) -> None:
    """Write the config file beside its result, with the command that made it.

    Parameters
    ----------
    config : Config
        What was run.
    command : str
        Name of the command.
    file : str
        Where the config was read from.
    path : Path
        Where to; an older file is replaced.
    """
    changes = "".join(f" --set {shlex.quote(change)}" for change in config.overrides)
    heading = f"# carsim {__version__}: carsim {command} {shlex.quote(file)}{changes}\n\n"
    write_text(heading + config.text, path)


def _check_writable(folder: Path) -> None:
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise ConfigError(f"--out {folder}: {existing} is not a folder. Choose another place.")
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ConfigError(
            f"--out {folder}: cannot write into {existing}: {error.strerror}. Choose another place."
        ) from None
