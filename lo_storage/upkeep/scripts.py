"""Read SQL as pg_dump writes it, by statements: a text in one may have any lines.

As psql reads it, but what pg_dump never writes is refused. Nothing is held in memory but a line, of
a long one a part, and of a statement the beginning.
"""

import re
from collections.abc import Callable, Iterator

# What one read takes of a line. pg_dump writes 16 KiB of an object on one, as text.
LINE = 1024 * 1024

# A letter of a word, which is not the beginning of what follows it ("papers$1$2").
IN_WORD = rb"[\w$\x80-\xff]"

# What a statement has beside words, up to the end of which other rules hold.
TOKEN = re.compile(
    rb"""--|/\*|[\\;'"]"""
    rb"""|(?<!%(word)b)[eE]'"""
    rb"""|(?<!%(word)b)\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$""" % {b"word": IN_WORD}
)
# Most statements: on one line, which no other rule than that of quotes can be about.
PLAIN = re.compile(rb"""[^'"$;\\/-]*(?:'[^'\\]*'[^'"$;\\/-]*)*;\n""")

OF_ESCAPED_TEXT = re.compile(rb"\\.|''|'", re.DOTALL)

ESCAPED_TEXTS = re.compile(rb"SET standard_conforming_strings = '?off'?;\n")

# In these a byte of a letter may be a backslash (PostgreSQL, "Character Set Support").
ENCODING = re.compile(
    rb"SET client_encoding = '(BIG5|GB18030|GBK|JOHAB|SJIS|SHIFT_JIS_2004|UHC)';\n", re.IGNORECASE
)


class ScriptError(Exception):
    """A script is not what pg_dump writes, or not understood; the message says what of it."""


class Script:
    """SQL that is read once.

    Arguments:

    - `readline`: reads a line, or of one that is longer than `LINE` the next part.
    """

    def __init__(self, readline: Callable[[], bytes]) -> None:
        self._readline = readline
        self._quote = b"'"
        self._text = bytearray()

    def statements(self) -> Iterator[bytes]:
        """Yield each statement, and each command of psql; of one that is long, the beginning.

        One that begins and ends with a line ends with its end, and one that does not begin with a
        line begins with a space. After one of them `lines` may read what follows it.
        """
        while line := self._readline():
            if PLAIN.fullmatch(line):
                self._set(line)
                yield line
            elif line.startswith((b"--", b"\\")):
                if line.startswith(b"\\"):
                    yield line
                while line and not line.endswith(b"\n"):
                    line = self._readline()
            elif not (line.isspace() and line.endswith(b"\n")):
                yield from self._statements(line)

    def lines(self, end: bytes) -> Iterator[bytes]:
        """Yield each line up to one that is `end`; of one that is long, the beginning."""
        is_new = True
        while line := self._readline():
            if is_new:
                if line == end:
                    return
                yield line
            is_new = line.endswith(b"\n")
        raise EOFError("it ends too early")

    def _statements(self, line: bytes) -> Iterator[bytes]:
        """Yield the statements from the beginning of a line to the next that ends with a line."""
        self._text, at = bytearray(), 0
        while True:
            match = TOKEN.search(line, at)
            if match is None or (match[0] == b";" and match.end() == len(line)):
                if len(line) - at > 2 * LINE:
                    raise ScriptError(f"a line has more than {LINE:,} bytes without a text")
                if line.endswith(b"\n"):
                    self._take(line[at:])
                    line, at = self._more(), 0
                else:
                    begin = max(0, at - 1)  # with the letter before it
                    line, at = line[begin:] + self._more(), at - begin
                continue
            token = match[0]
            self._take(line[at : match.end()])
            at = match.end()
            if token == b";":
                rest = line[at:]
                if rest == b"\n":
                    self._take(rest)
                statement = bytes(self._text)
                self._set(statement)
                yield statement
                if rest.isspace() and rest.endswith(b"\n"):
                    return
                self._text = bytearray(b" ")
            elif token in (b"/*", b"\\"):
                raise ScriptError(f"it has {token.decode()!r} where pg_dump writes none")
            elif token == b"--":
                line, at = self._after(b"\n", line, at)
            elif token.startswith(b"$"):
                line, at = self._after(token, line, at)
            elif token == b'"' or (token == b"'" and self._quote == b"'"):
                line, at = self._after(token, line, at)  # one that is doubled begins another
            else:
                line, at = self._after_escaped(line, at)

    def _after(self, end: bytes, line: bytes, at: int) -> tuple[bytes, int]:
        """Return the line that has this end, and where in it that ends."""
        while (found := line.find(end, at)) < 0:
            is_cut = not line.endswith(b"\n")
            kept = line[max(at, len(line) - len(end) + 1) :] if is_cut and len(end) > 1 else b""
            self._take(line[at : len(line) - len(kept)])
            line, at = kept + self._more(), 0
        self._take(line[at : found + len(end)])
        return line, found + len(end)

    def _after_escaped(self, line: bytes, at: int) -> tuple[bytes, int]:
        """Return the line that has the end of a text with backslashes, and where that is."""
        while True:
            match = OF_ESCAPED_TEXT.search(line, at)
            if match is None or (match[0] == b"'" and match.end() == len(line)):
                # The next part may have what is escaped, or the other half of two quotes.
                kept = line[-1:] if match or (line.endswith(b"\\") and at < len(line)) else b""
                self._take(line[at : len(line) - len(kept)])
                line, at = kept + self._more(), 0
                continue
            self._take(line[at : match.end()])
            at = match.end()
            if match[0] == b"'":
                return line, at

    def _set(self, statement: bytes) -> None:
        """Follow what the script sets for the texts in it."""
        if not statement.startswith(b"SET "):
            return
        if ESCAPED_TEXTS.fullmatch(statement):
            self._quote = b"E'"
        if match := ENCODING.fullmatch(statement):
            raise ScriptError(f"its encoding {match[1].decode()} is not read here")

    def _take(self, part: bytes) -> None:
        if len(self._text) < LINE:
            self._text += part

    def _more(self) -> bytes:
        line = self._readline()
        if not line:
            raise EOFError("it ends too early")
        return line
