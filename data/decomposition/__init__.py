"""Masked copies of photographs, as DeFusion is trained on."""
