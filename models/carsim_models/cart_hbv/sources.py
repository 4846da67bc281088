"""Documents that several modules take numbers from."""

from carsim import Assumed, Cited, Derived

CORTES_RIOS = Cited("10.1002/cpt.3718")
DAHARI = Cited("10.1002/hep.22586")
FREY = Cited("10.1177/0091270009350623")
HARDIANSYAH = Cited("10.1111/cts.12636")
LEON_TRIANA = Cited("10.1016/j.cnsns.2020.105570")
OWENS = Cited("10.1007/s11538-021-00869-5")
PARK = Cited("10.1111/cts.70146")

COURSES = Derived("least squares on typical courses, models/calibration/typical_courses.py")
TUNED = Assumed("tuned by hand so that the CAR-T side behaves as docs/flagship.md describes")
