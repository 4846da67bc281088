"""What is installed: packages that announce themselves, and versions. Looked up once a process.

A look at the metadata of all distributions takes longer than a small simulation.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys

__all__ = ["announced_modules", "version"]

_Places = tuple[tuple[str, int | None], ...]


def announced_modules(group: str) -> tuple[str, ...]:
    """Modules that entry points of a group name, sorted, each once.

    Parameters
    ----------
    group : str
        Group of entry points, for example ``"carsim.models"``.
    """
    return _modules(group, _places())


@functools.cache
def version(package: str) -> str:
    """Version of an installed distribution.

    Parameters
    ----------
    package : str
        Name of the distribution.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        If there is none of that name.
    """
    return importlib.metadata.version(package)


def _places() -> _Places:
    """The folders that modules come from; installing anything changes the time of one of them."""
    return tuple((place, _changed(place)) for place in sys.path)


def _changed(place: str) -> int | None:
    try:
        return os.stat(place or os.curdir).st_mtime_ns
    except OSError:
        return None


# A few groups; what was found in other folders, or before they changed, is forgotten in time.
@functools.lru_cache(maxsize=8)
def _modules(group: str, places: _Places) -> tuple[str, ...]:
    points = importlib.metadata.entry_points(group=group)
    return tuple(sorted({point.module for point in points}))
