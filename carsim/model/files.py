"""Files of models: run once for each content, and found again from another process."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from carsim.errors import CarsimError, ModelError

__all__ = ["failed", "found_again", "place_of", "run_file", "text_of"]

# Files already run, by path and content, so that loading one twice gives one model.
_files: dict[tuple[str, bytes], ModuleType] = {}


def run_file(path: Path) -> ModuleType:
    """Run a file of a model, unless it has been run as it stands.

    Parameters
    ----------
    path : Path
        A file that ends in ``.py``.

    Returns
    -------
    module
        What the file defines.

    Raises
    ------
    ModelError
        If there is no such file, or it does not run.
    """
    if not os.path.isfile(path):  # unlike pathlib's it takes any text, such as a name too long
        raise ModelError(f"{path}: there is no such file. Give the path of a model file.")
    if path.suffix != ".py":
        raise ModelError(f"{path}: a model file ends in '.py'.")
    resolved = path.resolve()
    try:
        data = resolved.read_bytes()
    except OSError as error:
        raise failed(str(path), error) from error
    key = (str(resolved), data)
    if key in _files:
        return _files[key]
    digest = hashlib.sha256(str(resolved).encode()).hexdigest()[:12]
    name = f"carsim_file_{resolved.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, resolved)
    assert spec is not None  # true of every '.py' file
    module = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(name)
    # Records resolve their annotations through sys.modules while the file runs.
    sys.modules[name] = module
    try:
        # Compiled here: Python's own cache tells two states of a file apart by second and size.
        exec(compile(data, str(resolved), "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        if previous is None:
            del sys.modules[name]
        else:
            sys.modules[name] = previous
        raise failed(str(path), error) from error
    _files[key] = module
    return module


def failed(what: str, error: Exception) -> ModelError:
    """Say that a module or file does not load, and why."""
    if isinstance(error, CarsimError):
        return ModelError(f"{what} does not load: {error}")
    if isinstance(error, SyntaxError):
        return ModelError(f"{what} does not load: {error.filename}:{error.lineno}: {error.msg}.")
    return ModelError(f"{what} does not load: {type(error).__name__}: {error}")


def text_of(module: ModuleType) -> bytes | None:
    """Source of a module, of a model file as it was when it ran; None if it has no file.

    Parameters
    ----------
    module : module
        A module that has been imported, or run by `run_file`.
    """
    for (_, data), each in _files.items():
        if each is module:
            return data
    file = getattr(module, "__file__", None)
    return Path(file).read_bytes() if file and Path(file).is_file() else None


def place_of(model: Any) -> dict[str, str]:
    """Where another process finds a model.

    Parameters
    ----------
    model : Model
        A model.

    Returns
    -------
    dict
        "module" (a name to import) and "file" (a path), or one of them; empty if no module holds
        the model as its ``MODEL``.
    """
    for (path, _), module in _files.items():
        if vars(module).get("MODEL") is model:
            return {"file": path}
    for name, module in _candidates(model.rhs.__module__):
        # Some entries of sys.modules are no modules and import what they are asked for.
        if type(module) is ModuleType and vars(module).get("MODEL") is model:
            file = str(vars(module).get("__file__") or "")
            place = {} if name in ("__main__", "__mp_main__") else {"module": name}
            return {**place, "file": str(Path(file).resolve())} if file.endswith(".py") else place
    return {}


def _candidates(first: str) -> Iterator[tuple[str, ModuleType]]:
    if first in sys.modules:
        yield first, sys.modules[first]
    yield from list(sys.modules.items())


def found_again(place: Mapping[str, str], expected: str) -> Any:
    """``MODEL`` at a place that `place_of` has named.

    Parameters
    ----------
    place : mapping
        A module, a file, or both, of which the one with the expected hash is taken.
    expected : str
        Hash of the model.

    Returns
    -------
    Model
        Of another hash if neither has the expected one.

    Raises
    ------
    ModelError
        If nothing loads, or defines ``MODEL``.
    """
    others, problems = [], []
    for load in (_imported, _run):
        try:
            module = load(place)
        except ModelError as error:
            problems.append(error)
            continue
        model = None if module is None else vars(module).get("MODEL")
        if getattr(model, "hash", None) == expected:
            return model
        if hasattr(model, "hash"):
            others.append(model)
    if others:
        return others[0]
    if problems:
        raise problems[-1]
    raise ModelError(f"{place.get('file') or place['module']}: it defines no MODEL.")


def _imported(place: Mapping[str, str]) -> ModuleType | None:
    if "module" not in place:
        return None
    try:
        return importlib.import_module(place["module"])
    except Exception as error:
        raise failed(place["module"], error) from error


def _run(place: Mapping[str, str]) -> ModuleType | None:
    return run_file(Path(place["file"])) if "file" in place else None
