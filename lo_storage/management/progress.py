"""A line on a terminal that tells how far a command is."""

import time
from collections.abc import Callable
from typing import Any

WIDTH = 20
EVERY = 0.2  # seconds: a terminal is slower than a loop


class Progress:
    """How much of a work is done, how fast, and how long the rest takes; on a terminal only.

    Use it in `with`: the line is gone afterwards. `hide()` takes it away for a line of output.

    Arguments:

    - `stream`: where to; nothing is written if it is no terminal.
    - `label`: what is done.
    - `total`: how much there is to do; 0 for one statement, of which nobody knows how far it is.
    - `shown`: turns an amount into words.
    """

    def __init__(
        self,
        stream: Any,
        label: str,
        total: int,
        shown: Callable[[float], str] = "{:,.0f}".format,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream if stream.isatty() else None
        self._label, self._total, self._shown, self._now = label, total, shown, now
        self._done = 0
        self._began = now()
        self._written = float("-inf")

    def __enter__(self) -> "Progress":
        self._write()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.hide()

    def add(self, amount: int) -> None:
        """Tell that so much more is done."""
        self._done += amount
        if self._now() - self._written >= EVERY:
            self._write()

    def hide(self) -> None:
        """Clear the line, so that another can be printed; the next `add()` shows it again."""
        if self._stream:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._written = float("-inf")

    def line(self) -> str:
        """Return what the terminal shows."""
        if not self._total:
            return f"{self._label} …"
        share = min(self._done / self._total, 1.0)
        bar = "#" * round(share * WIDTH)
        text = f"{self._label} [{bar:<{WIDTH}}] {share:4.0%} of {self._shown(self._total)}"
        seconds = self._now() - self._began
        if not self._done or not seconds:
            return text
        rate = self._done / seconds
        left = max(self._total - self._done, 0) / rate
        minutes, rest = divmod(round(left), 60)
        return f"{text}, {self._shown(rate)}/s, {minutes}:{rest:02} left"

    def _write(self) -> None:
        if self._stream:
            self._stream.write(f"\r\x1b[K{self.line()}")
            self._stream.flush()
            self._written = self._now()
