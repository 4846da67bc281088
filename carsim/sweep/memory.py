"""How much memory there is, and how much is asked for."""

from __future__ import annotations

import os
from pathlib import Path

FALLBACK = 4 * 1024**3


def available_memory() -> int:
    """Bytes that this process may still take, by the kernel's and the container's account."""
    limits = [_from_proc(), _from_container()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else _physical()


def spelled(size: float) -> str:
    """Spell a number of bytes: ``1.5 GB``."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in ("bytes", "kB") else f"{size:.1f} {unit}"


def _from_proc() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _from_container() -> int | None:
    root = Path("/sys/fs/cgroup")
    try:
        most = (root / "memory.max").read_text().strip()
        if most == "max":
            return None
        return max(0, int(most) - int((root / "memory.current").read_text()))
    except (OSError, ValueError):
        return None


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return FALLBACK
