#!/usr/bin/env bash
# antimony 3.3.0 (with the libSBML in its wheel), python-libsbml 5.21.2; numbers by libroadrunner 2.10.0.
#
# Seen: an SBML file whose MathML holds a power of a power, (a^b)^c, is written as Antimony text without the
#   brackets: a^b^c. The same library reads that text back as a^(b^c). SBML -> Antimony -> SBML is another model,
#   without an error or a warning. The writer is libSBML's formulaToL3String, which has the same fault alone.
# Right: brackets around the inner power, since the reader takes ^ from the right.
# Here: allometric clearance with an exponent of its own, CL = 2 * ((WT/70)^0.75)^0.5, at 140 kg.
# Exits 0 while this is so, 1 as soon as anything differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile antimony==3.3.0 python-libsbml==5.21.2 libroadrunner==2.10.0 2>"$folder/log" \
  || { cat "$folder/log"; exit 2; }
cat >"$folder/show.py" <<'P'
import math

import antimony
import libsbml
import roadrunner

MODEL = """
model clearance
  WT = 140; CL0 = 2; V = 20
  CL := CL0 * ((WT / 70)^0.75)^0.5
  C' = -CL / V * C
  C = 10
end
"""


def to_sbml(text):
    antimony.clearPreviousLoads()
    assert antimony.loadString(text) >= 0, antimony.getLastError()
    return antimony.getSBMLString(antimony.getMainModuleName())


def to_antimony(sbml):
    antimony.clearPreviousLoads()
    assert antimony.loadSBMLString(sbml) >= 0, antimony.getLastError()
    return antimony.getAntimonyString(antimony.getMainModuleName())


def simulated(sbml):
    document = libsbml.readSBMLFromString(sbml)
    assert document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    model = roadrunner.RoadRunner(sbml)
    return [float(v) for v in model.simulate(0, 12, 2, ["CL", "C"])[-1]]


first = to_sbml(MODEL)
written = to_antimony(first)
line = next(line.strip() for line in written.splitlines() if ":=" in line)
second = to_sbml(written)
before, after = simulated(first), simulated(second)
exact = 2 * (2**0.75) ** 0.5
tower = 2 * 2 ** (0.75**0.5)

print("SBML made from   CL := CL0 * ((WT / 70)^0.75)^0.5")
print(f"written back as  {line}")
print(f"clearance: exact {exact:.6f}, before the round trip {before[0]:.6f}, after it {after[0]:.6f}")
print(f"concentration after 12 h: exact {10 * math.exp(-exact / 20 * 12):.6f}, before {before[1]:.6f}, after {after[1]:.6f}")

tree = libsbml.parseL3Formula("(a^b)^c")
text = libsbml.formulaToL3String(tree)
again = libsbml.parseL3Formula(text)
print(f"libSBML alone: (a^b)^c is written as {text}, which it reads as a^(b^c): {again.getRightChild().getType() == libsbml.AST_POWER}")

same = (
    abs(before[0] - exact) < 1e-9
    and abs(after[0] - tower) < 1e-9
    and text == "a^b^c"
    and tree.getLeftChild().getType() == libsbml.AST_POWER
    and again.getRightChild().getType() == libsbml.AST_POWER
)
print("as described: the round trip changes the model" if same else "CHANGED: not what this script describes")
raise SystemExit(0 if same else 1)
P
"$folder/venv/bin/python" "$folder/show.py"
