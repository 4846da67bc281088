"""Rows of the arrays that the parts of the engine share.

Few arrays with named rows, instead of one array a quantity: the compiled functions have few
arguments, which is most of what their compilation costs.
"""

from __future__ import annotations

# Vectors over states and lanes, shape (N_VECTORS, n_states * lanes), lane-minor.
Y = 0
"""State at the start of the step."""
INPUTS = 1
"""Constant input rates (infusions)."""
F = 2
"""Derivative at the start of the step."""
STAGE = 3
STAGE_F = 4
COUPLE = 5
NEW = 6
"""State at the end of the step."""
DELTA = 7
"""Error estimate."""
K1 = 8
K2 = 9
K3 = 10
"""Dense output, see `carsim.engine.tableaus`."""
TIME_DERIVATIVE = 11
N_VECTORS = 12

# Numbers of the lanes, shape (N_NUMBERS, lanes).
T = 0
"""Time at the start of the step."""
H = 1
"""Size of the step."""
WISH = 2
"""Step size asked for by the error control."""
BOUNDARY = 3
"""Next time that must be landed on."""
END = 4
"""Where the patient's integration ends."""
ERROR = 5
PREVIOUS = 6
"""Error of the last accepted step."""
FACTOR = 7
CAP = 8
"""Largest growth allowed: 1 right after a rejected step."""
ACCEPTED = 9
"""1 for an accepted step, 0 for a rejected one and for an idle lane."""
LANDING = 10
"""1 when the step goes to the boundary."""
PART = 11
"""Fraction of the step that counts: less than 1 when an event cuts it short."""
STEPS = 12
REJECTED = 13
RUNNING = 14
"""1 while a patient is under way, 0 for an idle lane."""
STAGE_TIME = 15
SMALLEST = 16
"""Smallest pivot of the linear system."""
THETA = 17
MOMENT = 18
SAVE_TIME = 19
"""Next time to be saved; infinity when none is left."""
EVENT_PART = 20
"""Fraction of the step at which the first event happens; 2 when none does."""
EXTINCT_PART = 21
"""Fraction of the step at which the first state falls through its floor; 2 when none does."""
N_NUMBERS = 22

# Whole numbers of the lanes, shape (N_FLAGS, lanes).
PATIENT = 0
STATUS = 1
FRESH = 2
"""1 asks for a new first step size."""
JUMPED = 3
"""1 says that conditions must be looked at again."""
NEXT_STOP = 4
NEXT_SAVE = 5
AT_ONCE = 6
"""Events that fired without time passing."""
DUE = 7
"""1 for a lane that has a time to save."""
N_FLAGS = 8

# Value vectors, shape (N_VALUES, (n_states + n_observables) * lanes): states and behind them
# observables, so that source s of lane l is at s * lanes + l.
SAMPLES = 5
"""Points a step, its ends included; five give Boole's rule, exact for the dense output."""
LEFT = 0
RIGHT = SAMPLES - 1
WINDOW = SAMPLES
"""First of as many rows for the part of a step inside a reduction's window."""
SCRATCH = 2 * SAMPLES
N_VALUES = 2 * SAMPLES + 1

# What an event is and what is remembered of it, shapes (3, n_events) and (2 * lanes, n_events).
SOURCE, DIRECTION, LIMIT = range(3)

# What a reduction is, shapes (2, n_reductions) and (3, n_reductions).
KIND, REDUCED_SOURCE = range(2)
START, STOP, THRESHOLD = range(3)

# Counters that all threads share.
NEXT, DONE, CANCEL, LANE_STEPS = range(4)
