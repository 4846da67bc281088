"""What the command tells the shell when it ends."""

from __future__ import annotations

OUTSIDE = 1  # carsim verify: the run went well, and some published result is not met
DIFFERENT = 1  # carsim rerun, carsim status --verify: numbers are not what they were
BAD_INPUT = 2
INTERRUPTED = 130
