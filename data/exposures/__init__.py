"""Exposure stacks made from photographs."""
