"""The cache of compiled kernels survives what happens to folders of files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import caching

from carsim._version import __version__
from carsim.engine import jit
from carsim.engine.jit import digest_of_folder, engine_digest, kernel
from carsim.engine.signatures import DERIVE
from carsim.kernels import cache
from carsim.kernels.cache import ENVIRONMENT, cache_directory, load_generated

TEXT = '''"""A kernel that writes seven times the number of lanes."""

from carsim.engine.jit import kernel
from carsim.engine.signatures import DERIVE


@kernel(DERIVE)
def derive(n, p):
    p[0] = 7.0 * n
'''


def value(module: Any) -> float:
    p = np.zeros(1)
    module.derive(3, p)
    return float(p[0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "kernels"))
    return cache_directory()


def files(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.rglob(f"*{suffix}"))


def test_the_environment_says_where(folder: Path, tmp_path: Path) -> None:
    """One folder for each version of carsim and numba, so that an update never reads old code."""
    name = f"carsim-{__version__}-{engine_digest()}-numba-{numba.__version__}"
    assert folder == tmp_path / "kernels" / name
    module = load_generated("seven", TEXT)
    assert value(module) == 21.0
    assert Path(str(module.__file__)) == folder / "seven.py"
    assert len(files(folder, ".nbi")) == 1
    assert len(files(folder, ".nbc")) == 1


def test_without_the_environment_it_is_the_user_s_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert "carsim" in cache_directory().parts[-2]
    monkeypatch.setenv(ENVIRONMENT, "")
    assert "carsim" in cache_directory().parts[-2]


def test_nothing_is_written_when_all_is_there(folder: Path) -> None:
    load_generated("seven", TEXT)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert value(load_generated("seven", TEXT)) == 21.0
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("suffix", ["seven.py", ".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "half", "garbage", "gone"])
def test_a_damaged_file_is_written_anew(folder: Path, suffix: str, damage: str) -> None:
    load_generated("seven", TEXT)
    (path,) = files(folder, suffix)
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {"empty": b"", "half": data[: len(data) // 2], "garbage": b"?" * 99}[damage]
        )
    assert value(load_generated("seven", TEXT)) == 21.0
    assert (folder / "seven.py").read_text() == TEXT
    # ... and the next process finds a cache that works.
    assert value(load_generated("seven", TEXT)) == 21.0
    assert not files(folder, ".tmp")


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like a read-only home; a file where the folder should be stops root as well."""
    occupied = tmp_path / "occupied"
    occupied.write_text("a file, not a folder")
    monkeypatch.setenv(ENVIRONMENT, str(occupied))
    module = load_generated("seven", TEXT)
    assert value(module) == 21.0
    assert not str(module.__file__).startswith(str(occupied))
    assert occupied.read_text() == "a file, not a folder"


def test_a_full_disk_is_no_obstacle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source written, but no room for what numba wants to keep: compiled for this process only."""

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    assert value(load_generated("seven", TEXT)) == 21.0
    assert not files(folder, ".nbc")


def test_no_place_for_a_cache_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only installation without a home: numba finds nowhere to keep anything."""
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])

    def derive(n: int, p: Any) -> None:
        p[0] = 5.0 * n

    compiled = kernel(DERIVE)(derive)
    p = np.zeros(1)
    compiled(2, p)
    assert p[0] == 10.0


def test_errors_in_a_kernel_are_not_taken_for_damage() -> None:
    def derive(n: int, p: Any) -> None:
        p[0] = undefined  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(numba.core.errors.TypingError, match="undefined"):
        kernel(DERIVE)(derive)


def test_a_generated_module_that_fails_leaves_no_trace(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        load_generated("broken", "1 / 0\n")
    assert "_carsim_generated.broken" not in sys.modules


SCRIPT = """
import sys
import numpy as np
from carsim.kernels.cache import load_generated

text = sys.stdin.read()
p = np.zeros(1)
load_generated("seven", text).derive(3, p)
print(p[0])
"""


def test_two_processes_at_the_same_time(folder: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(TEXT)
        process.stdin.close()
        process.stdin = None
    for process in processes:
        out, error = process.communicate(timeout=120)
        assert out.strip() == "21.0", error
    assert value(load_generated("seven", TEXT)) == 21.0
    assert not files(folder, ".tmp")


def test_two_checkouts_of_one_version_do_not_share_kernels(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Generated kernels inline the engine, and numba's own index sees their file only."""
    first = load_generated("seven", TEXT)
    assert str(first.__file__).startswith(str(folder))
    monkeypatch.setattr(cache, "engine_digest", lambda: "0123456789ab")
    assert cache_directory() != folder
    second = load_generated("seven", TEXT)
    assert str(second.__file__).startswith(str(cache_directory()))
    assert sum(second.derive.stats.cache_hits.values()) == 0


def test_an_edited_engine_is_compiled_anew_whatever_the_times_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a folder that did not move; what was compiled before is removed."""
    load_generated("seven", TEXT)
    again = load_generated("seven", TEXT)
    assert sum(again.derive.stats.cache_hits.values()) == 1
    old = files(folder, ".nbc")
    monkeypatch.setattr(jit, "engine_digest", lambda: "0123456789ab")
    edited = load_generated("seven", TEXT)
    assert sum(edited.derive.stats.cache_hits.values()) == 0
    assert value(edited) == 21.0
    (new,) = files(folder, ".nbc")
    assert [new] != old


def test_the_digest_is_of_what_the_engine_says(tmp_path: Path) -> None:
    """Of every file, so that one that is edited with its old time of change is noticed."""
    for path in Path(jit.__file__).parent.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    copied = digest_of_folder(tmp_path)
    assert copied == engine_digest()
    pack = tmp_path / "pack.py"
    before = pack.stat()
    pack.write_text(pack.read_text().replace("WIDTH = 8", "WIDTH = 4"))
    os.utime(pack, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest_of_folder(tmp_path) != copied
