"""Paired multi-focus data: how pairs are made from a photograph and its map."""
