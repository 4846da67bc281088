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
"""1 when the step ends exactly at a time that was set."""
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
EXTINCT_PART = 20
"""Fraction of the step at which the first state falls through its floor; 2 when none does."""
NEXT_VISIT = 21
"""Time of the next visit of any rule; infinity when none is left."""
NEXT_DUE = 22
"""Time of the next action of what rules have started; infinity when there is none."""
SITE = 23
"""First time inside the step that must be landed on; infinity when there is none."""
OLD_WISH = 24
OLD_PREVIOUS = 25
OLD_CAP = 26
"""What WISH, PREVIOUS and CAP were before the step, should it be taken anew."""
LOOKS = 27
"""Time inside the step at which a lane's rules look; infinity when they do not."""
GOAL = 28
"""Time at which the step ends."""
NEXT_SWITCH = 29
"""Next time at which an equation switches; infinity when none does."""
ANEW = 30
"""1 when the step is taken anew, up to the boundary."""
ASIDE = 31
"""1 for a lane that packs of lanes leave to a closer look."""
LOW = 32
HIGH = 33
"""The part of the step that lies in a reduction's window, as fractions of the step."""
N_NUMBERS = 34

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
ENTERS = 8
"""1 for a patient to whom nothing has been done yet, not even what is scheduled for the start."""
DELICATE = 9
"""1 for a patient whose equations gave a value that is not finite, see `carsim.engine.step`."""
N_FLAGS = 10

# Value vectors, shape (N_VALUES, (n_states + n_observables + n_leaves) * lanes): states, behind
# them observables and what has a root at their kinks; source s of lane l is at s * lanes + l.
SAMPLES = 5
"""Points a step, its ends included; five give Boole's rule, exact for the dense output."""
LEFT = 0
RIGHT = SAMPLES - 1
WINDOW = SAMPLES
"""First of as many rows for the part of a step inside a reduction's window."""
SCRATCH = 2 * SAMPLES
N_VALUES = 2 * SAMPLES + 1

# Columns of a schedule's table, shape (N_COLUMNS, n_rows).
KIND, INDEX, ITEM, COUNTED, SLOT = range(5)

# What a course is, shape (3, n_courses).
COURSE_KIND, TARGET, COURSE_ITEM = range(3)

# What a rule is, shapes (N_RULE + n_rules, n_rules + 1) and (N_RULE_NUMBERS, n_rules).
SOURCE, DIRECTION, LIMIT, CONSECUTIVE, AFTER, IDLE, DURING, UNLESS = range(8)
CONTINUOUS, VISITS, STREAM, EXACT = range(8, 12)
"""VISITS is the row of a rule's first visit; the next rule's is the end of its visits. EXACT is 1
for a rule whose readings are the values themselves. UNLESS is 1 for a rule that some others keep
still: row N_RULE + k is 1 for those that rule k does."""
N_RULE = 12
WAIT, SPACING, DETECTION, LOG_SD, SD = range(5)
N_RULE_NUMBERS = 5

# Times and values of a schedule, shape (2, n_rows).
TIME, VALUE = range(2)

# What a lane remembers of a rule, shape (N_RECALL, n_rules * lanes), lane-minor.
HOLDS = 0
"""1 while the condition of a rule that is watched continuously holds; OWED when it was acted upon,
but the step taken anew, or the one behind it, is not there yet."""
OWED = 2.0
FIRED = 1
STREAK = 2
"""Visits in a row at which the condition held."""
VISIT = 3
"""Row of the next visit."""
CROSSING = 4
"""Time inside the step at which the condition becomes true; infinity when it does not."""
PENDING = 5
"""Time of a decision that is carried out when the step lands on it; infinity without one."""
SEEN = 6
"""Value that was decided upon."""
LATEST = 7
"""Time of the last firing."""
BEFORE = 8
"""Value at the last landing, before any jump."""
DECIDED = 9
"""1 for a rule that fires at the time that is looked at."""
N_RECALL = 10

# What rules have started, shape (N_STARTED + n_slots, capacity * lanes); behind the rows named here
# what was captured for it.
STARTED_RULE, STARTED_ROW, SINCE = range(3)
FREE, ACTING = -1.0, -2.0
"""In place of a rule: nobody is here; the one that is here is acting."""
N_STARTED = 3

# A line of the event log, shape (3, n_patients, capacity).
LINE_EVENT, LINE_TIME, LINE_VALUE = range(3)

# What a reduction is, shapes (2, n_reductions) and (3, n_reductions).
REDUCTION, REDUCED_SOURCE = range(2)
START, STOP, THRESHOLD = range(3)

# Counters that all threads share.
NEXT, DONE, CANCEL, LANE_STEPS = range(4)
