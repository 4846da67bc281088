"""Virtual environments of the peers, one for each: made when they are first needed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from benchmarks.solvers import CARSIM

ROOT = Path(__file__).resolve().parent.parent
INSTALL_SECONDS = 900


class AbsentError(Exception):
    """A peer cannot be installed here; the message says why."""


def interpreter(name: str, python: str) -> Path:
    """Python of an environment that has what `benchmarks/requirements/<name>.txt` lists.

    Parameters
    ----------
    name : str
        `CARSIM` for the interpreter that runs this.
    python : str
        Command that makes new environments.

    Raises
    ------
    AbsentError
        With pip's last words.
    """
    if name == CARSIM:
        return Path(sys.executable)
    folder = ROOT / f".venv-bench-{name}"
    requirements = Path(__file__).parent / "requirements" / f"{name}.txt"
    mark = folder / ".digest"
    digest = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()
    found = folder / "bin" / "python"
    if mark.is_file() and mark.read_text() == digest:
        return found
    _call([python, "-m", "venv", "--clear", str(folder)])
    pip = [str(found), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    _call([*pip, "-r", str(requirements)])
    mark.write_text(digest)
    return found


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise AbsentError(f"installing took more than {INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        raise AbsentError(_reason(done.stdout + done.stderr))


def _reason(text: str) -> str:
    """The line of an installer's output that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for word in ("no cmake_fortran_compiler", "no matching distribution", "error"):
        for line in lines:
            if word in line.lower():
                return line[:200]
    return lines[-1][:200] if lines else "pip failed without a word"
