#!/usr/bin/env bash
# python-copasi 4.48.311 by copasi-basico 0.92; the SBML is made with antimony 3.3.0, a peer is libroadrunner 2.10.0.
#
# Seen: SBML events whose trigger is a strict comparison of something that moves in steps, as days counted by floor or
#   a phase by piecewise. While the step stands exactly on the limit, ">" is not true yet, but COPASI gives the dose:
#   floor(time / 24) > 1 is dosed just after hour 24 instead of at 48; > 0 just after the start instead of at 24. A daily
#   dose (floor(time / 24) > n, which then sets n to floor(time / 24)) is given once, just after the start, instead of at
#   24, 48, 72 and 96. With piecewise(1, time > 30, 0) > 0 no dose is given at all, instead of one at 30. No warning.
# Right: an SBML event fires when its trigger goes from false to true. The same conditions written with >= or with a
#   limit between the steps are right in COPASI, all of them are in libRoadRunner.
# Deterministic time course of 100 h, settings as they come, a row every hour; a dose shows in the first row that has it.
# Exits 0 while this is so, 1 as soon as anything differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile python-copasi==4.48.311 copasi-basico==0.92 antimony==3.3.0 libroadrunner==2.10.0 \
  2>"$folder/log" || { cat "$folder/log"; exit 2; }
cat >"$folder/show.py" <<'P'
import antimony
import basico
import roadrunner

MODEL = """
model doses
  compartment blood = 1; species drug in blood = 0
  drug' = -0.01 * drug
  n = 0
  phase := piecewise(1, time > 30, 0)
  at {trigger}: drug = drug + 100, n = floor(time / 24)
end
"""
# trigger, hours after which COPASI gives a dose, the right ones
CASES = [
    ("floor(time / 24) > 0", [0], [24]),
    ("floor(time / 24) >= 1", [24], [24]),
    ("floor(time / 24) > 1", [24], [48]),
    ("floor(time / 24) > 1.5", [48], [48]),
    ("floor(time / 24) > n", [0], [24, 48, 72, 96]),
    ("floor(time / 24) >= n + 1", [24, 48, 72, 96], [24, 48, 72, 96]),
    ("phase > 0", [], [30]),
    ("phase > 0.5", [30], [30]),
]


def doses(times, values):
    """The rows in which a dose first shows."""
    return [round(float(t)) for t, a, b in zip(times[1:], values, values[1:]) if b > a + 1]


def within_a_row(seen, given):
    """Whether each dose shows in the row of its hour or in the one after."""
    return len(seen) == len(given) and all(0 <= s - g <= 1 for s, g in zip(seen, given))


same = True
print(f"{'trigger':28s}{'COPASI: rows':22s}{'libRoadRunner: rows':22s}right")
for trigger, given, right in CASES:
    antimony.clearPreviousLoads()
    assert antimony.loadString(MODEL.format(trigger=trigger)) >= 0, antimony.getLastError()
    sbml = antimony.getSBMLString("doses")
    loaded = basico.load_model_from_string(sbml)
    table = basico.run_time_course(start_time=0, duration=100, intervals=100, use_initial_values=True)
    basico.remove_datamodel(loaded)
    copasi = doses(table.index, table["drug"].to_numpy())
    rows = roadrunner.RoadRunner(sbml).simulate(0, 100, 101, ["time", "[drug]"])
    peer = doses(rows[:, 0], rows[:, 1])
    print(f"{trigger:28s}{str(copasi):22s}{str(peer):22s}{right}")
    same &= within_a_row(copasi, given) and within_a_row(peer, right)

print("as described: a step that stands on its limit counts as above it" if same else "CHANGED: not what this script describes")
raise SystemExit(0 if same else 1)
P
"$folder/venv/bin/python" "$folder/show.py"
