"""Pairs by saliency: where a photograph's map comes from, and how its information is distributed."""
