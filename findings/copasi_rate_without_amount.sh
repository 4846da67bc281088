#!/usr/bin/env bash
# python-copasi 4.48.311 by copasi-basico 0.92; the SBML is made with antimony 3.3.0.
#
# Seen: an infusion of rate 1 from day 40 to day 45, written in SBML as a piecewise of time, beside a state that
#   declines slowly. Deterministic time course of 100 days, settings as they come, a row every half day. The result has
#   the rate 1 in ten rows and, in every row, 0 for the amount that was infused: its integral. No warning.
#   The same infusion written as two SBML events gives 5.
# Right: 5 in both spellings, or a word; at least no table in which a rate and its integral contradict each other. A
#   greatest step of 1 day (Max Internal Step Size) gives 5 for the same file: the step goes past the whole infusion,
#   and the rows within it do not shorten it though the rule is evaluated at them.
# Exits 0 while this is so, 1 as soon as anything differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile python-copasi==4.48.311 copasi-basico==0.92 antimony==3.3.0 2>"$folder/log" \
  || { cat "$folder/log"; exit 2; }
cat >"$folder/show.py" <<'P'
import antimony
import basico

MODEL = """
model infusion
  compartment blood = 1
  species target in blood, infused in blood, rate in blood
  target = 10; infused = 0
  target' = -0.01 * target
  infused' = rate
  {rate}
end
"""
PIECEWISE = "rate := piecewise(1, time >= 40 && time < 45, 0)"
EVENTS = "rate = 0; rate' = 0; at time >= 40: rate = 1; at time >= 45: rate = 0"


def course(spelling, greatest_step=0.0):
    antimony.clearPreviousLoads()
    assert antimony.loadString(MODEL.format(rate=spelling)) >= 0, antimony.getLastError()
    loaded = basico.load_model_from_string(antimony.getSBMLString("infusion"))
    assert basico.get_task_settings("Time-Course")["method"]["name"] == "Deterministic (LSODA)"
    if greatest_step:
        basico.set_task_settings("Time-Course", {"method": {"Max Internal Step Size": greatest_step}})
    table = basico.run_time_course(start_time=0, duration=100, intervals=200, use_initial_values=True)
    basico.remove_datamodel(loaded)
    return table


piecewise = course(PIECEWISE)
events = course(EVENTS)
bounded = course(PIECEWISE, greatest_step=1.0)
print("piecewise, from day 39.5 to 45.5:")
print(piecewise.loc[39.4:45.6, ["rate", "infused"]].T.to_string())
rows = int((piecewise["rate"] == 1).sum())
amount = float(piecewise["infused"].abs().max())
by_events, by_steps = float(events["infused"].iloc[-1]), float(bounded["infused"].iloc[-1])
print(f"rows with rate 1: {rows}; amount infused: {amount:g} by piecewise, {by_events:g} by events,")
print(f"{by_steps:g} by piecewise with steps of 1 day at most; right 5")
same = rows == 10 and amount == 0.0 and abs(by_events - 5) < 1e-4 and abs(by_steps - 5) < 1e-3
print("as described: ten rows of rate 1, nothing infused" if same else "CHANGED: not what this script describes")
raise SystemExit(0 if same else 1)
P
"$folder/venv/bin/python" "$folder/show.py"
