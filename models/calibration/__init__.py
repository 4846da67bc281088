"""How the fitted numbers of cart_hbv were found; every script can be run again."""
