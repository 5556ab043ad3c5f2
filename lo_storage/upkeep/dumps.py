"""Read files out of what pg_dump has written, in any of its formats; none of it is run as SQL."""

import gzip
import re
import subprocess
import tempfile
import zlib
from binascii import unhexlify
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from ..catalogue import TABLE, Entry
from .backups import BackupError, Saved, save
from .scripts import LINE, Script, ScriptError

# Lines of `pg_restore --list`. The contents of all objects are one entry ("BLOBS"), and from 17 on
# one for up to a thousand ("16418..17417").
OF_CATALOGUE = re.compile(rf"\d+; \d+ \d+ TABLE DATA .+ {TABLE} ")
OF_OBJECTS = re.compile(r"\d+; \d+ \d+ BLOBS - (?:BLOBS|(?P<first>\d+)(?:\.\.(?P<last>\d+))?) ")

# Statements of a dump. A name in quotes may have any character.
NAME = rb'(?:[a-z_][a-z0-9_]*|"[^"]*(?:""[^"]*)*")'
COPY = re.compile(
    rb"COPY (?:%(name)b\.)?(?P<table>%(name)b) (?:\((?P<columns>%(name)b(?:, %(name)b)*)\))?"
    rb" FROM stdin;\n" % {b"name": NAME}
)
OPEN = re.compile(rb"SELECT pg_catalog\.lo_open\('(?P<loid>\d+)', \d+\);\n")
WRITE = re.compile(rb"SELECT pg_catalog\.lowrite\(0, '\\{1,2}x(?P<data>[0-9a-f]*)'\);\n")
CLOSE = b"SELECT pg_catalog.lo_close(0);\n"
END_OF_COPY = b"\\.\n"

ESCAPED = re.compile(r"\\(.)")
MEANS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Dump:
    """What pg_dump has written, in any of its formats.

    Arguments:

    - `path`: of the file or folder. One in plain SQL may be compressed by gzip.
    - `pg_restore`: the program that reads the other formats, as new as the pg_dump was.
    """

    def __init__(self, path: Path, pg_restore: str = "pg_restore") -> None:
        self._path, self._pg_restore = path, pg_restore

    def read(self, loids: Collection[int]) -> Iterator[Saved]:
        missing = set(loids)
        try:
            with self._printed(missing) as readline:
                for saved in objects_of(Script(readline), missing):
                    yield saved
                    missing.remove(saved.loid)
                    if not missing:
                        return
        except ScriptError as error:
            raise BackupError(
                f"{self._path} cannot be read here, because {error}: restore it into a database of"
                " its own, and read from that by --from"
            ) from error
        except (EOFError, zlib.error) as error:
            raise BackupError(f"{self._path} is not all there: {error}") from error
        except OSError as error:
            raise BackupError(f"{self._path}: {error.strerror or error}") from error

    @contextmanager
    def _printed(self, loids: Collection[int]) -> Iterator[Callable[[], bytes]]:
        """Yield what reads a line of the dump as SQL."""
        beginning = b""
        if not self._path.is_dir():
            with self._path.open("rb") as file:
                beginning = file.read(len(b"--\n"))
        if beginning[:2] == b"\x1f\x8b":
            with gzip.open(self._path) as unpacked:
                yield partial(unpacked.readline, LINE)
        elif beginning == b"--\n":
            with self._path.open("rb") as file:
                yield partial(file.readline, LINE)
        else:
            with self._run("--list") as readline:
                listed = [line.decode(errors="replace") for line in iter(readline, b"")]
            if not any(map(OF_OBJECTS.match, listed)):
                raise BackupError(
                    f"{self._path} has no large objects: it was made with -B or --schema-only, or"
                    " with -t or -n and without -b"
                )
            ordered = sorted(loids)
            with tempfile.NamedTemporaryFile("w") as chosen:
                chosen.writelines(line for line in listed if _is_asked_for(line, ordered))
                chosen.flush()
                with self._run("--data-only", "--file=-", f"--use-list={chosen.name}") as readline:
                    yield readline

    @contextmanager
    def _run(self, *options: str) -> Iterator[Callable[[], bytes]]:
        """Run pg_restore; yield what reads a line, and raises where the program fails."""
        command = [self._pg_restore, *options, str(self._path)]
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
            except OSError as error:
                raise BackupError(
                    f"{self._pg_restore} cannot be run: {error.strerror}. It reads every dump but"
                    " one in plain SQL: install PostgreSQL's client programs, or say where it is"
                    " by --pg-restore"
                ) from error

            def readline() -> bytes:
                assert process.stdout is not None
                line = process.stdout.readline(LINE)
                if not line and process.wait():
                    errors.seek(0)
                    said = errors.read().decode(errors="replace").strip().partition("\n")[0]
                    raise BackupError(
                        f"{said}. The program must be as new as the pg_dump that made"
                        f" {self._path}: give one by --pg-restore"
                    )
                return line

            with process:
                try:
                    yield readline
                finally:
                    process.kill()  # Nobody wants the rest.


def objects_of(script: Script, loids: Collection[int]) -> Iterator[Saved]:
    """Yield some large objects of a dump as SQL, in which the rows of tables come before them."""
    entries: dict[int, Entry] = {}
    seen: set[int] = set()
    databases: set[bytes] = set()
    is_at_objects = False
    for statement in script.statements():
        if match := OPEN.fullmatch(statement):
            loid, written, is_at_objects = int(match["loid"]), script.lines(CLOSE), True
            if loid in seen:
                raise ScriptError(f"it has large object {loid} twice")
            if loid in loids:
                seen.add(loid)
                with save(loid, entries.get(loid), _written(written)) as saved:
                    yield saved
            for _ in written:
                pass
        elif statement.lstrip().startswith(b"COPY "):
            match = COPY.fullmatch(statement)
            if match is None or is_at_objects:
                raise ScriptError(f"pg_dump does not write there {statement[:60]!r}")
            rows = script.lines(END_OF_COPY)
            if match["table"].strip(b'"') == TABLE.encode():
                for entry in _entries(match["columns"] or b"", rows):
                    if entry.loid in loids and entries.setdefault(entry.loid, entry) != entry:
                        raise ScriptError(f"it has two rows of {TABLE} for {entry.loid}")
            for _ in rows:
                pass
        elif statement.startswith(b"INSERT INTO "):
            raise BackupError(
                "the dump was made with --inserts, whose rows are not read here: restore it into a"
                " database of its own, and read from that by --from"
            )
        elif statement.startswith(b"\\connect "):
            databases.add(statement)  # one with settings of its own is connected to twice
            if len(databases) > 1:
                raise BackupError(
                    "the dump has several databases, of which each may have the same numbers:"
                    " restore it, and read from the right one by --from"
                )


def _is_asked_for(line: str, ordered: list[int]) -> bool:
    """Whether a line of the contents is the catalogue's, or has one of these objects."""
    match = OF_OBJECTS.match(line)
    if match is None or match["first"] is None:
        return bool(match or OF_CATALOGUE.match(line))
    first, last = int(match["first"]), int(match["last"] or match["first"])
    return bisect_left(ordered, first) < bisect_right(ordered, last)


def _entries(columns: bytes, rows: Iterator[bytes]) -> Iterator[Entry]:
    """Yield the rows of the catalogue that COPY wrote as text."""
    names = [name.strip('"') for name in columns.decode().split(", ")]
    try:
        for row in rows:
            yield _entry(names, row)
    except (KeyError, ValueError) as error:
        raise BackupError(
            "a row of the catalogue is not what pg_dump writes, or not all of it"
        ) from error


def _entry(columns: list[str], row: bytes) -> Entry:
    if not row.endswith(b"\n"):
        raise ValueError("a part of a line")
    fields = row.decode(errors="replace").removesuffix("\n").split("\t")
    values = {
        column: None if field == "\\N" else ESCAPED.sub(_meant, field)
        for column, field in zip(columns, fields, strict=True)
    }
    return Entry(
        loid=int(values["loid"] or 0),
        name=values["name"] or "",
        original_name=values["original_name"] or "",
        size=int(values["size"] or 0),
        sha256=values["sha256"],
        version=int(values["version"] or 0),
        created_at=datetime.fromisoformat(values["created_at"] or ""),
        modified_at=datetime.fromisoformat(values["modified_at"] or ""),
    )


def _meant(match: re.Match[str]) -> str:
    return MEANS.get(match[1], match[1])


def _written(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        match = WRITE.fullmatch(line)
        if match is None:
            raise BackupError(f"a line is not what pg_dump writes, or not all of it: {line[:60]!r}")
        yield unhexlify(match["data"])
