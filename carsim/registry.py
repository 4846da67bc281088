"""Find models by name: installed packages of models, modules, and single files.

A package of models announces itself once, with an entry point in the group ``carsim.models`` whose
value is the package. Its modules are found by their file names and imported only when asked for,
so that a new model is one new file.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

from carsim.errors import ModelError, unknown
from carsim.installed import announced_modules
from carsim.model import Model
from carsim.model.files import failed, place_of, run_file

__all__ = [
    "ENTRY_POINT_GROUP",
    "EVIDENCE_GROUP",
    "announced",
    "list_models",
    "load_model",
    "place_to_store",
]

ENTRY_POINT_GROUP = "carsim.models"

# A package of models may hold its evidence; that is no model.
EVIDENCE_GROUP = "carsim.evidence"


def list_models() -> list[str]:
    """Names of all models that installed packages offer, sorted; none is imported."""
    return sorted(_installed())


def load_model(name: str) -> Model:
    """Load a model.

    Parameters
    ----------
    name : str
        A name of `list_models`, a dotted module name such as ``"package.module"``, or the path of
        a file such as ``"./my_model.py"``. The module or file defines ``MODEL``.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    ModelError
        If there is no such model, or its file cannot be imported or defines no ``MODEL``.
    """
    if name.endswith(".py") or "/" in name or "\\" in name:
        return _model_in(run_file(Path(name).expanduser()), name)
    modules = _offered(name)
    if modules:
        if len(modules) > 1:
            raise ModelError(
                f"model {name!r} is offered by {' and '.join(modules)}; load it by its full name."
            )
        return _model_in(_import(modules[0]), name)
    if "." in name:
        return _model_in(_import(name), name)
    hint = " To load a file, give its path: './my_model.py'."
    raise ModelError(unknown("model", name, list_models(), "carsim") + hint)


def place_to_store(model: Model) -> dict[str, str]:
    """Where `Scenario.from_dict` finds a model, if it is not installed under its name.

    Parameters
    ----------
    model : Model
        A model.

    Returns
    -------
    dict
        Empty for an installed model; else "module", "file" or both. The file of a model that was
        typed into a notebook is no file, and says so in the message.
    """
    place = place_of(model)
    if place.get("module") in _offered(model.name):
        return {}
    return place or {"file": model.file}


def announced(group: str) -> list[tuple[str, list[str]]]:
    """Packages that entry points of a group name, sorted, with the folders of their modules."""
    found = []
    for package in announced_modules(group):
        try:
            spec = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            spec = None
        if spec is None or spec.submodule_search_locations is None:
            raise ModelError(
                f"entry point {group!r}: {package!r} is not an importable package; "
                "reinstall the distribution that announces it."
            )
        found.append((package, list(spec.submodule_search_locations)))
    return found


def _installed() -> dict[str, list[str]]:
    """Model names and the modules that define them, over all announced packages."""
    found: dict[str, list[str]] = {}
    evidence = announced_modules(EVIDENCE_GROUP)
    for package, folders in announced(ENTRY_POINT_GROUP):
        for module in pkgutil.iter_modules(folders):
            name = f"{package}.{module.name}"
            if not module.name.startswith("_") and name not in evidence:
                found.setdefault(module.name, []).append(name)
    return found


def _offered(name: str) -> list[str]:
    """Modules that define an installed model, as in `_installed`, without listing all others."""
    if not name or name.startswith("_") or "." in name:
        return []
    evidence = announced_modules(EVIDENCE_GROUP)
    found = []
    for package, folders in announced(ENTRY_POINT_GROUP):
        module = f"{package}.{name}"
        spec = importlib.machinery.PathFinder.find_spec(module, folders)
        # A folder without '__init__.py' has no file of its own.
        if spec is not None and spec.origin is not None and module not in evidence:
            found.append(module)
    return found


def _import(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent is not None and f"{module}.".startswith(f"{absent}."):
            raise ModelError(
                f"model {module!r}: there is no module {absent!r}. Give a name from "
                "list_models(), an importable 'package.module', or a path './file.py'."
            ) from None
        raise failed(module, error) from error


def _model_in(module: ModuleType, name: str) -> Model:
    model = getattr(module, "MODEL", None)
    if isinstance(model, Model):
        return model
    found = "it defines no MODEL" if model is None else f"its MODEL is a {type(model).__name__}"
    file = getattr(module, "__file__", None) or module.__name__
    raise ModelError(f"model {name!r} ({file}): {found}. End the file with MODEL = Model(...).")
