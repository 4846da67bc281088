"""A few kills of the harness; ``python -m tests.kill_harness --kills 200`` does more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_sweeps_resume_to_the_same_files() -> None:
    # In a process of its own: forks of one with threads may hang.
    found = subprocess.run(
        [sys.executable, "-m", "tests.kill_harness", "--kills", "6", "--seed", "5"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert "every store the same, bit by bit" in found.stdout
