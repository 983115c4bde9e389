"""Which values of a metric are better. Imports nothing of the project, so that metrics and pages may use it."""

from __future__ import annotations

from typing import Literal

Better = Literal["higher", "lower", "zero"]
"""The higher, the lower, or those closest to zero."""
