"""Stored names: the number of a large object and the suffixes of the original file name.

A `FileField` stores such a name ("16418.tar.gz"), and the catalogue has it letter for letter.
"""

import re
from pathlib import PurePosixPath

MAX_OID = 2**32 - 1

# PostgreSQL's text, in UTF-8, can hold neither NUL nor surrogates.
_NAME = re.compile(r"([1-9][0-9]{0,9})(\.[^/\\\0\ud800-\udfff]+)?")

# FileField's default max_length
MAX_LENGTH = 100
MAX_SUFFIX = MAX_LENGTH - len(str(MAX_OID))


def loid_of(name: str) -> int | None:
    """Return the OID in a stored name, or None where `name` can be no stored name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    loid = int(match[1])
    return loid if loid <= MAX_OID else None


def suffix_of(original_name: str) -> str:
    """Return what a stored name gets of a file's name: all suffixes (".tar.gz" of "notes.tar.gz").

    Characters that cannot stand in a stored name are left out. Suffixes that together exceed
    `MAX_SUFFIX` are dropped, the first of them first.
    """
    suffixes = [
        "".join(char for char in suffix if char.isprintable() and char not in "/\\")
        for suffix in PurePosixPath(original_name).suffixes
    ]
    while suffixes and len("".join(suffixes)) > MAX_SUFFIX:
        del suffixes[0]
    suffix = "".join(suffixes)
    return suffix if suffix.strip(".") else ""  # Only dots may be left of "a./.".
