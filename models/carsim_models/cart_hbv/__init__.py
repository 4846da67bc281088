"""CAR-T cells, leukemia, immune recovery and hepatitis B: the flagship model.

One file a module, each with its own states, parameters and equations; `car_t_side.py` composes
the CAR-T side and `model.py` the whole. Names are ``module.state`` and ``module.parameter``.

Parameters that studies usually vary
    leukemia.initial_cells, leukemia.extramedullary_cells, leukemia.negative_fraction, leukemia.r_L
    cart.r_E, cart.g, cart.f_self, cart.k_X, cart.d_M (or a variant of the group "product")
    t_cell.kappa_L, t_cell.tau_L: depth and recovery of T-cell competence
    hbv.kappa: loss of HBV-specific effectors in a standard lymphodepletion
    hbv.dna_0, hbv.hbsag_0, hbv.E_0, hbv.C_0, hbv.anti_hbs_0 (or a variant of the group "hbv")
    entecavir.potency: decades by which 0.5 mg a day lowers virion production (or a variant of the
        group "antiviral")
    entecavir.fold_resistance: EC_50 over the wild type's; may change while the simulation runs
    cytokine.grade_1 to grade_4: IL-6 signal at which the grades of cytokine release begin

Virtual patients who differ in all of these are in populations.py.

What may be given (routes), each as often as one likes: car_t [cell], lymphodepletion [1],
anti_cd20 [1], vaccine [1], tocilizumab [mg], dexamethasone [mg], entecavir [mg], ivig [g/L].
"""

from carsim_models.cart_hbv.model import MODEL as MODEL
