"""The catalogue in Django's admin, to look at: a file comes and goes with the row that names it."""

from .large_objects import LargeObjectAdmin

__all__ = ["LargeObjectAdmin"]
