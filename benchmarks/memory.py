"""How much memory a process uses; as a program, for `facts`: how much one operation adds."""

import sys
import tempfile
from pathlib import Path

from .stage import SMALL, configure


def status(key: str, pid: str = "self") -> int:
    """Return in bytes what /proc knows of a process: VmRSS is resident, VmHWM the most that was."""
    text = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith(f"{key}:")]
    return int(line.split()[1]) * 1024


def begin_anew(pid: str = "self") -> int:
    """Let VmHWM begin anew at VmRSS, which is returned."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return status("VmRSS", pid)


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

    before = begin_anew()
    if operation == "read":
        read(argument)
    else:
        with open(argument, "rb") as file:
            stored = write(File(file))
    most = status("VmHWM")
    if operation == "write":
        with contestant.alone():
            contestant.delete(stored)
    print(most - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
