"""In a process of its own: how much memory one operation adds. `facts` runs it."""

import sys
import tempfile
from pathlib import Path

from .stage import SMALL, configure


def _status(key: str) -> int:
    text = Path("/proc/self/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith(f"{key}:")]
    return int(line.split()[1]) * 1024


def main(name: str, operation: str, argument: str) -> None:
    configure()
    from django.core.files import File
    from django.core.files.base import ContentFile

    from .contestants import make

    contestant = make(name, Path(tempfile.gettempdir()))

    def read(stored: str) -> None:
        with contestant.alone(), contestant.open(stored) as file:
            for _ in file.chunks():
                pass

    def write(content: File) -> str:
        with contestant.alone():
            return contestant.save(content)

    # Once on a small file: modules are loaded, and the connection is there.
    stored = write(ContentFile(bytes(SMALL)))
    read(stored)
    with contestant.alone():
        contestant.delete(stored)

    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew at VmRSS
    before = _status("VmRSS")
    if operation == "read":
        read(argument)
    else:
        with open(argument, "rb") as file:
            stored = write(File(file))
    most = _status("VmHWM")
    if operation == "write":
        with contestant.alone():
            contestant.delete(stored)
    print(most - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
