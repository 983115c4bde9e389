"""Generators: one file per network, none of which imports another."""
