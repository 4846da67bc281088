"""The journal of a store: which blocks are done, one line each, appended and never changed.

A line is the first 16 hexadecimal digits of the SHA-256 of its text, a blank, and the text: JSON.
It is written after the block's files have reached the disk, in one piece, and flushed to the disk
itself. So a line that is whole is true; one that is not (power loss, full disk, damage) is skipped
and said, and its block is computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """What the journal says of a finished block.

    Attributes
    ----------
    block : int
        Its number in the plan.
    sha256 : str
        Of everything that it wrote, see `carsim.sweep.store.digest.block_digest`.
    statuses : dict of str to int
        Number of trajectories by status code.
    steps, rejected : int
        Accepted and rejected steps of all trajectories.
    seconds : float
        Wall time from start to disk.
    failure : str
        Words about the first failed trajectory; empty if none failed.
    by : str
        Host and process that computed it.
    at : str
        When it was done (ISO 8601, UTC).
    """

    block: int
    sha256: str
    statuses: Mapping[str, int]
    steps: int
    rejected: int
    seconds: float
    failure: str = ""
    by: str = ""
    at: str = ""


def statuses_of(entries: Mapping[int, Entry]) -> Counter[int]:
    """Number of trajectories by status, over blocks.

    Parameters
    ----------
    entries : mapping of int to Entry
        By number of the block.
    """
    counts: Counter[int] = Counter()
    for entry in entries.values():
        counts.update({int(code): n for code, n in entry.statuses.items()})
    return counts


@dataclass
class Contents:
    """A journal as read.

    Attributes
    ----------
    head : dict
        First line: format, number of blocks; empty if the store was never made whole.
    entries : dict of int to Entry
        Finished blocks; of several lines about one block the last holds.
    digest : str
        Digest of the whole result; empty as long as it is not finished.
    damaged : list of int
        Numbers of the lines that are not whole, from 1.
    """

    head: dict[str, Any] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    digest: str = ""
    damaged: list[int] = field(default_factory=list)


class Journal:
    """Appends to a journal; only the process that holds the store's lock may.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, head: Mapping[str, Any]) -> None:
        """Write the first line: from here on the store counts as made."""
        self._append({"head": {"format": FORMAT, **head}})

    def add(self, entry: Entry) -> None:
        """Write down a finished block, whose files are on the disk."""
        self._append({"entry": asdict(entry)})

    def drop(self, block: int) -> None:
        """Take back what was said of a block, whose files turned out to be damaged."""
        self._append({"dropped": block})

    def finish(self, digest: str) -> None:
        """Write the last line: all blocks are done."""
        self._append({"digest": digest})

    def read(self) -> Contents:
        """Read all lines.

        Returns
        -------
        Contents
            Empty if there is no such file.
        """
        found = Contents()
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return found
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            said = _checked(line)
            if said is None:
                found.damaged.append(number)
            elif "head" in said:
                found.head = said["head"]
            elif "entry" in said:
                entry = Entry(**said["entry"])
                found.entries[entry.block] = entry
                found.digest = ""
            elif "dropped" in said:
                found.entries.pop(said["dropped"], None)
                found.digest = ""
            else:
                found.digest = said["digest"]
        return found

    def _append(self, said: Mapping[str, Any]) -> None:
        text = json.dumps(said, allow_nan=False, separators=(",", ":")).encode()
        line = _seal(text) + b" " + text + b"\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            # What a full disk or a power loss left of a line must not swallow this one.
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            written = os.write(descriptor, line)
            if written < len(line):
                raise OSError(28, "No space left on device", str(self.path))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _seal(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()


def _checked(line: bytes) -> dict[str, Any] | None:
    seal, _, text = line.partition(b" ")
    if seal != _seal(text):
        return None
    said: dict[str, Any] = json.loads(text)
    return said
