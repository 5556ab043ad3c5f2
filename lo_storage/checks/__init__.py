"""System checks: what a newcomer gets wrong, found before a file is at stake.

E001, that the app is not installed, is a check of the fields: without the app these are not
registered.
"""

from . import databases, derived, models, serving  # noqa: F401  # registers them
