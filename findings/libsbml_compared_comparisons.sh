#!/usr/bin/env bash
# python-libsbml 5.21.2, antimony 3.3.0; numbers by libroadrunner 2.10.0.
#
# Seen: parseL3Formula, and Antimony, which reads formulas with it, take the brackets off two comparisons that are
#   compared: (x > 1) == (y > 1) becomes (x > 1) && (1 == (y > 1)), as if it were a chain x > 1 == (y > 1). A limit is
#   then compared with a truth value: with a limit of 2000 the condition holds for nobody. Neither an error nor a
#   warning of it; libSBML's consistency check, too, finds no error.
# Right: eq of two comparisons, as not(xor(x > 1, y > 1)) gives; a chain is meant only where no bracket closes it.
# Here: do HBV DNA and ALT agree (each above or below its own limit)? Asked in two spellings, for four patients.
# Exits 0 while this is so, 1 as soon as anything differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile antimony==3.3.0 python-libsbml==5.21.2 libroadrunner==2.10.0 2>"$folder/log" \
  || { cat "$folder/log"; exit 2; }
cat >"$folder/show.py" <<'P'
import antimony
import libsbml
import roadrunner

MODEL = """
model concordance
  dna = {dna}; alt = {alt}
  by_equality := piecewise(1, (dna > 2000) == (alt > 40), 0)
  by_xor := piecewise(1, not(xor(dna > 2000, alt > 40)), 0)
  z' = 0; z = 0
end
"""

formula = "(x > 1) == (y > 1)"
tree = libsbml.parseL3Formula(formula)
print(f"libSBML reads  {formula}  as  {libsbml.formulaToL3String(tree)}")
mixed = tree.getType() == libsbml.AST_LOGICAL_AND and tree.getRightChild().getLeftChild().getInteger() == 1

answers = []
for dna, alt in [(50000, 90), (50000, 20), (300, 90), (300, 20)]:
    antimony.clearPreviousLoads()
    assert antimony.loadString(MODEL.format(dna=dna, alt=alt)) >= 0, antimony.getLastError()
    sbml = antimony.getSBMLString("concordance")
    document = libsbml.readSBMLFromString(sbml)
    document.checkConsistency()
    assert document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    equality, xor = (int(v) for v in roadrunner.RoadRunner(sbml).simulate(0, 1, 2, ["by_equality", "by_xor"])[-1])
    right = int((dna > 2000) == (alt > 40))
    answers.append((equality, xor, right))
    print(f"DNA {dna:6d}, ALT {alt:3d}: agree? by == {equality}, by not(xor) {xor}, right {right}")

same = mixed and answers == [(0, 1, 1), (0, 0, 0), (0, 0, 0), (0, 1, 1)]
print("as described: two comparisons that agree are said to disagree" if same else "CHANGED: not what this script describes")
raise SystemExit(0 if same else 1)
P
"$folder/venv/bin/python" "$folder/show.py"
