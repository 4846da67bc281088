"""Generated modules on disk, so that the next process finds them compiled."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numba
import platformdirs

from carsim._version import __version__
from carsim.engine.jit import engine_digest

ENVIRONMENT = "CARSIM_CACHE_DIR"
"""Environment variable that moves the cache."""


def cache_directory() -> Path:
    """Where generated kernels live: one folder per version of carsim, its engine and numba.

    Generated kernels inline functions of the engine, and two checkouts of one version may differ.
    """
    base = os.environ.get(ENVIRONMENT) or platformdirs.user_cache_dir("carsim", appauthor=False)
    return Path(base) / f"carsim-{__version__}-{engine_digest()}-numba-{numba.__version__}"


def is_kept(name: str) -> bool:
    """Whether a generated module is in the cache, where it is compiled when it is first imported.

    Parameters
    ----------
    name : str
        File name without suffix.
    """
    return (cache_directory() / f"{name}.py").is_file()


def load_generated(name: str, text: str) -> ModuleType:
    """Import a generated module, writing it to the cache when it is not there yet.

    A cache that cannot be written (read-only home, full disk) is replaced by a temporary folder for
    this process; a damaged file is written anew.

    Parameters
    ----------
    name : str
        File name without suffix; contains a digest of `text`.
    text : str
        The module's source.
    """
    path = cache_directory() / f"{name}.py"
    try:
        _write(path, text)
    except OSError:
        path = Path(tempfile.mkdtemp(prefix="carsim-kernels-")) / path.name
        _write(path, text)
    return _load(f"_carsim_generated.{name}", path)


def _write(path: Path, text: str) -> None:
    data = text.encode()
    try:
        if path.read_bytes() == data:
            # numba keys its cache by the time of last change: leave the file alone.
            return
    except OSError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process may be writing the same file: each writes its own and renames.
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _load(module_name: str, path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(module_name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module_name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
