"""What is installed is looked up once, and again when something may have been installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carsim import simulate
from carsim.installed import announced_modules, version
from carsim.registry import list_models, load_model


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every look at the metadata of installed distributions, whoever asks."""
    found: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        original = getattr(importlib.metadata, name)

        def look(*arguments: Any, **options: Any) -> Any:
            found.append(name)
            return original(*arguments, **options)

        return look

    for name in ("entry_points", "distributions", "distribution", "version", "metadata"):
        monkeypatch.setattr(importlib.metadata, name, counted(name))
    return found


def announce(folder: Path, package: str) -> None:
    information = folder / f"{package}_dist-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {package}-dist\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[carsim.herbarium]\nx = {package}\n")


def test_a_second_simulation_looks_at_no_distribution(looks: list[str]) -> None:
    first = simulate("stein_2019", stop=7.0, save_at=[0.0, 7.0])
    looks.clear()
    second = simulate("stein_2019", stop=7.0, save_at=[0.0, 7.0])
    assert looks == []
    assert second.attrs.keys() == first.attrs.keys()
    for name in first.attrs.keys() - {"created_at"}:
        assert second.attrs[name] == first.attrs[name]


def test_models_are_loaded_and_listed_without_another_look(looks: list[str]) -> None:
    list_models()
    looks.clear()
    assert load_model("stein_2019") is load_model("stein_2019")
    assert "stein_2019" in list_models()
    assert looks == []


def test_each_version_is_read_once(looks: list[str]) -> None:
    assert version("numpy") == importlib.metadata.version("numpy")
    looks.clear()
    assert version("numpy") == version("numpy")
    assert looks == []
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        version("no-package-of-this-name")


def test_what_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that was on the path before, as from a notebook, and in one that is added."""
    assert announced_modules("carsim.herbarium") == ()
    monkeypatch.syspath_prepend(str(tmp_path))
    announce(tmp_path, "ferns")
    assert announced_modules("carsim.herbarium") == ("ferns",)
    announce(tmp_path, "mosses")
    later = tmp_path.stat().st_mtime_ns + 10**9  # the clock of a file system may be coarse
    os.utime(tmp_path, ns=(later, later))
    importlib.invalidate_caches()
    assert announced_modules("carsim.herbarium") == ("ferns", "mosses")
