"""Published results that carsim is compared with: one paper, or one group of cohorts, a file."""
