"""Symbols in, symbols out: trace a model, differentiate, order the elimination, print LaTeX."""
