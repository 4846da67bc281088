"""What the command tells the shell when it ends."""

from __future__ import annotations

OUTSIDE = 1  # carsim verify: the run went well, and some published result is not met
BAD_INPUT = 2
INTERRUPTED = 130
