"""A text for the preview, in the encoding that it has; where that is not known, why there is none.

A file has no word of its encoding, and a `charset` that is not true makes it unreadable. So the
text is decoded here, and the page is in UTF-8 as each page is.
"""

import codecs
import re
from dataclasses import dataclass

from lo_storage.catalogue import SMALL_SIZE

# With one byte less the whole of a file is read with its row, in one statement.
MAX_PREVIEW = SMALL_SIZE - 1

MARKED = {
    codecs.BOM_UTF8: ("utf-8", "UTF-8"),
    codecs.BOM_UTF16_LE: ("utf-16-le", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16-be", "UTF-16"),
}
# By chance no text in Windows-1252 with a letter beyond ASCII is UTF-8, but almost none.
UNMARKED = [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")]

# No text has them, but for the spaces, and the escapes that colour a log.
CONTROL = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f]")

DOS_END = "\x1a"

UNKNOWN = (
    "This is no text in UTF-8, in Windows-1252, or in UTF-16 that begins with a byte order mark."
    " Download it to open it."
)
UNREADABLE = "The file could not be read. Load the page again, or download it."
EMPTY = "The file is empty."


@dataclass(frozen=True)
class Text:
    content: str = ""
    encoding: str = ""
    length: int = 0  # in bytes, of what was read
    is_cut: bool = False  # the file is longer
    problem: str = ""  # why there is no content


def read_text(file):
    """Return the `Text` of a `FieldFile`; one or two round trips."""
    try:
        with file.storage.open(file.name) as opened:
            data = opened.read(MAX_PREVIEW + 1)
    except OSError:  # It was replaced in the meantime, or may not be read.
        return Text(problem=UNREADABLE)
    return decoded(data[:MAX_PREVIEW], is_cut=len(data) > MAX_PREVIEW)


def decoded(data, is_cut=False):
    """Return the `Text` of these bytes; where they are cut, the last letter may be, too."""
    if not data:
        return Text(problem=EMPTY)
    mark = next((mark for mark in MARKED if data.startswith(mark)), b"")
    for codec, encoding in [MARKED[mark]] if mark else UNMARKED:
        try:
            content = codecs.getincrementaldecoder(codec)().decode(data[len(mark) :], not is_cut)
        except UnicodeDecodeError:
            continue
        content = content.rstrip(DOS_END)
        if not content:
            return Text(problem=EMPTY)
        if not CONTROL.search(content):
            return Text(content, encoding, len(data), is_cut)
    return Text(problem=UNKNOWN)
