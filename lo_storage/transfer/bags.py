"""A folder in BagIt's form (RFC 8493), which archives know, and `sha256sum -c` checks."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"

# What a program, Windows or `sha256sum` takes for something else than a letter of a name.
_UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*%\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]'
)
# The names of Windows's devices, whatever stands behind a dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
# File systems take 255 bytes.
_LONGEST = 200

_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)")

READ_SIZE = 1024 * 1024


class NotABag(Exception):
    """A folder is no bag, or none that is whole."""


class Payload(NamedTuple):
    """A line of a manifest."""

    path: str
    sha256: str


def safe_name(name: str, otherwise: str) -> str:
    """Return a name that any file system takes, as near to `name` as it can be."""
    safe = _UNSAFE.sub("_", name).strip().rstrip(". ")
    if _DEVICE.fullmatch(safe):
        safe = f"_{safe}"
    if len(safe.encode()) > _LONGEST:
        stem, suffix = os.path.splitext(safe)
        if len(suffix.encode()) > 20:
            stem, suffix = safe, ""
        safe = _cut(stem, _LONGEST - len(suffix.encode())) + suffix
    return safe if safe.strip(".") else otherwise


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def encoded(path: str) -> str:
    """Return a path as a manifest has it (RFC 8493, 2.1.3)."""
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def decoded(path: str) -> str:
    """Return the path that a manifest means."""
    for code, letter in (("0[Aa]", "\n"), ("0[Dd]", "\r"), ("25", "%")):
        path = re.sub(f"%{code}", letter, path)
    return path


def close(folder: Path, size: int, files: int, info: dict[str, str]) -> None:
    """Write what makes a folder a bag; it has its payload and its manifest."""
    lines = {**info, "Payload-Oxum": f"{size}.{files}"}
    tags = {
        "bag-info.txt": "".join(f"{key}: {value}\n" for key, value in lines.items()),
        "bagit.txt": DECLARATION,
    }
    (folder / TAG_MANIFEST).unlink(missing_ok=True)
    for name, text in tags.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    others = [path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".part"]
    manifest = "".join(f"{sha256_of(folder / name)}  {encoded(name)}\n" for name in sorted(others))
    (folder / TAG_MANIFEST).write_text(manifest, encoding="utf-8", newline="\n")


def sha256_of(path: Path, done: Callable[[int], None] = lambda size: None) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(READ_SIZE):
            digest.update(part)
            done(len(part))
    return digest.hexdigest()


def oxum(folder: Path) -> tuple[int, int]:
    """Return how many bytes and files a bag says that it has."""
    try:
        info = (folder / "bag-info.txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotABag(f"{folder} has no bag-info.txt that can be read") from error
    found = re.search(r"^Payload-Oxum:\s*([0-9]{1,18})\.([0-9]{1,18})\s*$", info, re.MULTILINE)
    if found is None:
        raise NotABag(f"{folder}/bag-info.txt has no Payload-Oxum")
    return int(found[1]), int(found[2])


def validate(folder: Path, done: Callable[[int], None]) -> None:
    """Raise `NotABag` where something is missing, added or changed; `done` is told the bytes read.

    Each file is read. What is no file in the folder, as a link is none, is refused.
    """
    try:
        declaration = (folder / "bagit.txt").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotABag(
            f"{folder} has no bagit.txt: it is no bag, or not written to its end"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise NotABag(f"{folder}/bagit.txt cannot be read as UTF-8") from error
    if not re.match(
        r"BagIt-Version: (0\.97|1\.0)\s*\nTag-File-Character-Encoding: UTF-8\s*$",
        declaration,
        re.IGNORECASE,
    ):
        raise NotABag(f"{folder}/bagit.txt is not of BagIt 1.0 or 0.97 in UTF-8")
    size, files = oxum(folder)
    found = _measure(folder)
    if found != (size, files):
        raise NotABag(
            f"{folder} has {found[1]:,} files of {found[0]:,} bytes, and by its Payload-Oxum"
            f" {files:,} of {size:,}"
        )
    for name in (TAG_MANIFEST, MANIFEST):
        listed: set[str] = set()
        for line in manifest(folder, name):
            if line.path in listed:
                raise NotABag(f"{folder}/{name} lists {line.path!r} twice")
            listed.add(line.path)
            if sha256_of(folder / line.path, done) != line.sha256:
                raise NotABag(f"{folder}/{line.path} is not what it was: its SHA-256 is another")
    if len(listed) != files:
        raise NotABag(f"{folder}/{MANIFEST} lists {len(listed):,} files, and there are {files:,}")


def manifest(folder: Path, name: str) -> Iterator[Payload]:
    """Yield the lines of a manifest, each of a file that is there."""
    if not (folder / name).is_file():
        raise NotABag(f"{folder} has no {name}")
    with open(folder / name, "rb") as lines:
        for line in lines:
            try:
                match = _LINE.fullmatch(line.decode().rstrip("\r\n"))
            except UnicodeDecodeError:
                match = None
            if match is None:
                text = line.decode(errors="replace").strip()
                raise NotABag(f"{folder}/{name} has a line that is none: {text!r}")
            path = decoded(match[2].removeprefix("./"))
            if name == MANIFEST and not path.startswith("data/"):
                raise NotABag(f"{folder}/{name} names {path!r}, which is not in data/")
            inside(folder, path)
            yield Payload(path, match[1].lower())


def inside(folder: Path, path: str) -> Path:
    """Return where a file of the bag is; raise `NotABag` where it is none, or not in the folder."""
    parts = path.split("/")
    if "\\" in path or "\0" in path or {"", ".", ".."} & set(parts) or path.startswith("~"):
        raise NotABag(f"{folder} names {path!r}, which leads out of it")
    here = folder
    for part in parts[:-1]:
        here /= part
        if here.is_symlink():
            raise NotABag(f"{here} is a link, and a bag has files alone")
    here /= parts[-1]
    try:
        mode = here.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotABag(f"{here} is not there") from error
    if not stat.S_ISREG(mode):
        raise NotABag(f"{here} is no file, and a bag has files alone")
    return here


def _measure(folder: Path) -> tuple[int, int]:
    size = files = 0
    for path, folders, names in os.walk(folder / "data"):
        for name in [*folders, *names]:
            info = os.lstat(os.path.join(path, name))
            if stat.S_ISREG(info.st_mode):
                size += info.st_size
                files += 1
            elif not stat.S_ISDIR(info.st_mode):
                raise NotABag(f"{os.path.join(path, name)} is a link, and a bag has files alone")
    return size, files
