"""What is shipped, what it is called, and what importing it costs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import carsim

# numpy alone imports about 150 modules; the budget leaves room for the standard library and our
# own, and for nothing like scipy.stats (500), xarray with pandas (900) or numba (800).
IMPORT_BUDGET = 400
HEAVY = ("matplotlib", "sympy", "dask", "pandas", "xarray", "numba", "pydantic", "rich")


def modules_after(statement: str) -> set[str]:
    """Names in sys.modules of a fresh interpreter after `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    root = Path(__file__).resolve().parent.parent
    if not (root / "pyproject.toml").is_file():
        pytest.skip("runs in a checkout only")
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(root)]
    done = subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_ships_the_two_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    (info,) = (name for name in top if name.endswith(".dist-info"))
    assert top == {"carsim", "carsim_models", info}


def test_wheel_says_that_it_is_typed(wheel: zipfile.ZipFile) -> None:
    assert {"carsim/py.typed", "carsim_models/py.typed"} <= set(wheel.namelist())


def test_wheel_holds_every_source_file(wheel: zipfile.ZipFile, repository: Path) -> None:
    on_disk = {
        path.relative_to(folder).as_posix()
        for folder, package in ((repository, "carsim"), (repository / "models", "carsim_models"))
        for path in (folder / package).rglob("*")
        if path.suffix in (".py", ".css")
    }
    shipped = {name for name in wheel.namelist() if name.endswith((".py", ".css"))}
    assert shipped == on_disk
    assert "carsim_models/cart_hbv/__init__.py" in shipped


def test_wheel_registers_the_models_and_the_command(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(name).decode()
    assert "[carsim.models]\npublished = carsim_models" in text
    assert "[console_scripts]\ncarsim = carsim.cli:main" in text


def test_versions_agree(repository: Path) -> None:
    declared = carsim.__version__
    citation = re.search(r"^version: (\S+)$", (repository / "CITATION.cff").read_text(), re.M)
    assert citation is not None
    assert citation.group(1) == declared
    assert f"## {declared}" in (repository / "CHANGELOG.md").read_text()


def test_installed_version_is_the_declared_one() -> None:
    assert carsim.__version__ == metadata.version("carsim")


def test_public_names_exist() -> None:
    missing = [name for name in carsim.__all__ if not hasattr(carsim, name)]
    assert missing == []


def test_lock_files_cover_every_supported_version(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    supported = {
        found.group(1)
        for line in project["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
    }
    locked = {
        path.stem.removeprefix("lock-") for path in repository.glob("requirements/lock-*.txt")
    }
    assert locked == supported
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["test"], *extras["dask"], *extras["sensitivity"]]
    wanted = {re.split(r"[\[<>=;, ]", line)[0].lower() for line in lines} - {"carsim"}
    for path in repository.glob("requirements/lock-*.txt"):
        pinned = {
            line.split("==")[0].lower() for line in path.read_text().splitlines() if "==" in line
        }
        assert wanted <= pinned, f"{path.name} lacks {wanted - pinned}"


def test_import_carsim_is_light() -> None:
    loaded = modules_after("import carsim")
    assert not {name for name in HEAVY if name in loaded}
    assert len(loaded) < IMPORT_BUDGET


def test_help_is_light() -> None:
    call = """
import contextlib, carsim.cli
with contextlib.suppress(SystemExit):
    carsim.cli.main(["--help"])
"""
    loaded = modules_after(call)
    assert not {name for name in ("matplotlib", "xarray", "pandas", "numba") if name in loaded}


def test_matplotlib_comes_with_plots_only() -> None:
    loaded = modules_after(
        "import carsim.simulation, carsim.sweep, carsim.config, carsim.endpoints"
    )
    assert "matplotlib" not in loaded


def test_carsim_knows_no_published_model() -> None:
    loaded = modules_after(
        "import carsim.simulation, carsim.sweep, carsim.config, carsim.endpoints"
    )
    assert not {name for name in loaded if name.split(".")[0] == "carsim_models"}
