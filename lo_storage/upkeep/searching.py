"""Which of some stored names stand in texts: the texts are read, and searched here.

Measured: the server's regular expressions take two or three times as much of a processor.
"""

from collections.abc import Iterable
from typing import Any, Self

from psycopg import Cursor

from ..database import cursor
from .reading import reading

# How much of a text is searched at once.
BLOCK = 1024 * 1024

# What follows a number whose name goes on with a suffix that is no fraction: "16418.pdf", "16418.".
DOT = b"D"

_DIGITS_AND_DOTS = bytes(byte if byte in b"0123456789." else ord(" ") for byte in range(256))


class Sought:
    """Numbers of stored names that were not found yet: b"16418D" of "16418.pdf", else b"16418"."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._left = set(keys)
        self._fewest = min((len(key.removesuffix(DOT)) for key in self._left), default=0)
        # Of those with a dot, and of those without.
        self._lengths = [
            sorted({len(key) for key in self._left if key.endswith(DOT) is has_dot})
            for has_dot in (True, False)
        ]

    def left(self) -> list[int]:
        """Return the numbers of those that stood in no text."""
        return [int(key.removesuffix(DOT)) for key in self._left]

    def strike(self, text: bytes) -> None:
        """Take out the names that stand in a text, wherever, and next to anything.

        A number stands at the end of a run of digits: of "2024010116418" it is 16418 and 116418.
        """
        # Of two dots the first is followed by no digit.
        spaced = b"%b " % text.translate(_DIGITS_AND_DOTS).replace(b"..", b". ")
        runs = spaced.replace(b". ", DOT + b" ").replace(b".", b" ").split()
        long = [run for run in runs if len(run) >= self._fewest]
        with_dot, without = self._lengths
        if with_dot:
            self._strike_ends([run for run in long if run[-1] == DOT[0]], with_dot)
        if without:
            self._strike_ends([run.removesuffix(DOT) for run in long], without)

    def _strike_ends(self, runs: list[bytes], lengths: list[int]) -> None:
        for length in lengths:
            self._left.difference_update([run[-length:] for run in runs if len(run) >= length])


class _Copied(Cursor[Any]):
    """Gives what a COPY sends to a function, block by block, and keeps none of it."""

    def __init__(self, take: Any, connection: Any) -> None:
        super().__init__(connection)
        self._take = take

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        with self.copy(*args) as rows:
            block, size = [], 0
            for row in rows:
                block.append(row)
                size += len(row)
                if size >= BLOCK:
                    self._take(b"".join(block))
                    block, size = [], 0
        self._take(b"".join(block))
        return self


def strike_all(alias: str, queries: Iterable[str], sought: Sought) -> None:
    """Take out the names that stand in what queries, of one text each, return; one statement."""
    # Of what COPY escapes none becomes a digit, nor a dot.
    texts = " union all ".join(queries)
    with reading(alias), cursor(alias, lambda c: _Copied(sought.strike, c)) as c:
        c.execute(f"copy ({texts}) to stdout (encoding 'UTF8')")
