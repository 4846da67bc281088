#!/usr/bin/env bash
# pharmpy-core 2.1.1.
#
# Seen: a NONMEM table with a dose at 0 that is repeated every 12 h three times (ADDL 3), an observation at 6, a reset
#   (EVID 3) at 18, a dose at 20 and an observation at 30.
#   expand_additional_doses writes the times 0 6 12 24 36 18 20 30: doses at 24 and 36 stand before the reset of 18, as
#   plain doses. TIME decreases, which NONMEM refuses, and once sorted two doses are given after the reset.
#   add_time_after_dose gives the reset -18 h after its dose, and get_concentration_parameters_from_data takes that
#   row for the trough: Cmin 0 at Tmin -18 h. No warning.
# Right: a reset ends the additional doses that are still to come: 0 6 12 18 20 30; no time after dose below 0; no
#   trough from a record that is no observation (MDV 1).
# Exits 0 while this is so, 1 as soon as anything differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile pharmpy-core==2.1.1 2>"$folder/log" || { cat "$folder/log"; exit 2; }
cat >"$folder/table.csv" <<'T'
ID,TIME,AMT,ADDL,II,EVID,DV,MDV
1,0,100,3,12,1,0,1
1,6,0,0,0,0,3.1,0
1,18,0,0,0,3,0,1
1,20,50,0,0,1,0,1
1,30,0,0,0,0,2.0,0
T
cat >"$folder/run1.mod" <<'M'
$PROBLEM One compartment, a reset within a course of doses
$INPUT ID TIME AMT ADDL II EVID DV MDV
$DATA table.csv IGNORE=@
$SUBROUTINE ADVAN1 TRANS2
$PK
CL = THETA(1)*EXP(ETA(1))
V = THETA(2)
S1 = V
$ERROR
Y = F + EPS(1)
$THETA (0,1.1)
$THETA (0,20)
$OMEGA 0.1
$SIGMA 0.1
$ESTIMATION METHOD=1
M
cat >"$folder/show.py" <<'P'
import sys

from pharmpy.modeling import (
    add_time_after_dose,
    expand_additional_doses,
    get_concentration_parameters_from_data,
    read_model,
)

model = read_model(sys.argv[1])
print("the table:")
print(model.dataset.to_string(index=False))
expanded = expand_additional_doses(model).dataset
print("expand_additional_doses:")
print(expanded.to_string(index=False))
after = add_time_after_dose(model).dataset[["TIME", "EVID", "TAD"]]
print("add_time_after_dose:")
print(after.to_string(index=False))
trough = get_concentration_parameters_from_data(model)
print("get_concentration_parameters_from_data:")
print(trough.to_string())

times = [float(t) for t in expanded["TIME"]]
reset = [float(t) for t in after.loc[after["EVID"] == 3, "TAD"]]
print(f"times got {times}, right [0.0, 6.0, 12.0, 18.0, 20.0, 30.0]; time after dose of the reset {reset}, right 6 or none")
same = (
    times == [0.0, 6.0, 12.0, 24.0, 36.0, 18.0, 20.0, 30.0]
    and [float(e) for e in expanded["EVID"]][3:6] == [1.0, 1.0, 3.0]
    and reset == [-18.0]
    and float(trough["Tmin"].iloc[0]) == -18.0
    and float(trough["Cmin"].iloc[0]) == 0.0
)
print("as described: doses from after the reset stand before it" if same else "CHANGED: not what this script describes")
raise SystemExit(0 if same else 1)
P
"$folder/venv/bin/python" -W ignore "$folder/show.py" "$folder/run1.mod"
