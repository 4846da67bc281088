"""Questions about values that a caller or a config file gave: types are not to be trusted yet."""

from __future__ import annotations

import numpy as np


def is_number(value: object) -> bool:
    """Whether a value is a plain real number (True and False are not)."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number given as such (True, False and 2.0 are not)."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Whether a value is a text."""
    return isinstance(value, str)
