"""Stored names: the number of a large object and a suffix of the original file name.

A `FileField` stores such a name ("16418.tar.gz"), and the catalogue has it letter for letter.
"""

import re
from pathlib import PurePosixPath

__all__ = ["suffix_of"]

MAX_OID = 2**32 - 1

# PostgreSQL's text, in UTF-8, can hold neither NUL nor surrogates.
_NAME = re.compile(r"([1-9][0-9]{0,9})(\.[^/\\\0\ud800-\udfff]+)?")

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}")

# Suffixes of what is compressed, signed or encrypted: the one before tells what is inside.
_WRAPPERS = {
    *(".br", ".bz2", ".gz", ".lz", ".lz4", ".xz", ".z", ".zst"),
    *(".age", ".asc", ".gpg", ".p7m", ".p7s", ".pgp", ".sig"),
}
_WRAPPED = {
    *(".tar", ".csv", ".geojson", ".html", ".json", ".log", ".md", ".sql", ".tsv", ".txt", ".xml"),
    *(".doc", ".docx", ".eml", ".msg", ".odp", ".ods", ".odt", ".pdf", ".ppt", ".pptx", ".rtf"),
    *(".xls", ".xlsx", ".jpeg", ".jpg", ".png", ".svg", ".tif", ".tiff"),
}

# A number and two suffixes; what pg-lo-storage has named may be longer.
MAX_LENGTH = len(str(MAX_OID)) + 2 * len(".0123456789")


def loid_of(name: str) -> int | None:
    """Return the OID in a stored name, or None where `name` can be no stored name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    loid = int(match[1])
    return loid if loid <= MAX_OID else None


def suffix_of(original_name: str) -> str:
    """Return the suffix of a file's name: ".pdf", ".tar.gz", ".xml.p7m", or "" for none.

    A stored name stands in addresses, logs and caches. Of the user's words it gets only what may be
    a type: ".pdf" of "Dr. Ferreira - HIV test of Alice.pdf". That is what stands after the last
    dot, if it is up to ten letters and digits of ASCII. A wrapper (".gz", ".p7m") after a known
    type (".tar", ".xml") keeps both.
    """
    *_, wrapped, last = ["", "", *PurePosixPath(original_name).suffixes]
    if not _SUFFIX.fullmatch(last):
        return ""
    is_wrapped = last.lower() in _WRAPPERS and wrapped.lower() in _WRAPPED
    return wrapped + last if is_wrapped else last
