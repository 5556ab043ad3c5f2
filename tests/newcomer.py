"""What a stranger does: make a project in an empty folder, and follow a page line by line."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import psycopg
import requests
from django.conf import settings

from config.embedded_postgres import Lock
from lo_storage.tests.databases import administrator

from .pages import blocks
from .test_embedded_postgres import until

ROOT = Path(__file__).parent.parent
WHO = {"DJANGO_SUPERUSER_USERNAME": "alice", "DJANGO_SUPERUSER_PASSWORD": "a-Secret-1"}

# The language of a block, and its text.
BLOCK = re.compile(r"^ *```(console|diff|python)\n(.*?)^ *```$", re.S | re.M)
# Where a page says that a block of Python belongs.
PLACE = re.compile(r"`(\w+/\w+\.py|python manage\.py shell)`")


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Yield ("console", commands) or (the place named last above a block, its Python or diff)."""
    place, end = "", 0
    for match in BLOCK.finditer(page):
        place = [place, *PLACE.findall(page[end : match.start()])][-1]
        end = match.end()
        language, text = match.groups()
        yield ("console" if language == "console" else place), dedent(text)


def write(path: Path, text: str) -> None:
    """Put what a block of Python imports at the head of a file, and the rest at its end."""
    (block,) = re.findall(r"((?:(?:from|import) [^\n]*\n|\n)*)(.*)", text, re.DOTALL)[:1]
    path.write_text(block[0] + path.read_text() + block[1])


def write_an_app(folder: Path) -> None:
    """Fill in the app `papers` of a project of the template, by its README and its docs."""
    readme = (folder / "README.md").read_text().replace(".venv/bin/", "")
    (section,) = re.findall(r"^## A model with a file\n(.*?)^## ", readme, re.DOTALL | re.MULTILINE)
    for place, text in steps(section):
        if place.endswith(".py"):
            write(folder / place, text)
    for block in blocks(folder / "docs" / "testing.md"):
        if block.kind == "python" and "settings" not in block.words:
            write(folder / "papers" / "tests.py", block.content)
    settings = folder / "config" / "settings.py"
    text = settings.read_text()
    assert text.count('    "lo_storage",\n') == 1
    named = '    "lo_storage",\n    "papers",\n'
    settings.write_text(text.replace('    "lo_storage",\n', named))


def environment(directory: Path, *packages: str) -> Path:
    """Return the Python of a virtual environment with just these packages, made if need be.

    They are compiled at once: where PYTHONDONTWRITEBYTECODE is set each process would do it again.
    """
    python = directory / "bin" / "python"
    made, of = directory / "made", f"{sys.version} {packages}"
    with Lock(directory.with_name(f"{directory.name}.lock")):  # the tests of others wait for it
        if not made.exists() or made.read_text() != of:
            for command in (
                ["venv", "--clear", "--python", sys.executable, directory],
                ["pip", "install", "--compile-bytecode", "--python", python, *packages],
            ):
                uv = [sys.executable, "-m", "uv", *command, "--quiet"]
                result = subprocess.run(
                    uv, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
                )
                assert result.returncode == 0, result.stdout
            made.write_text(of)
    return python


class Project:
    """A project in an empty folder, on an interpreter and in a database of its own."""

    all_tests = False  # whether those of the library run, or but one module of them

    def __init__(self, folder: Path, python: str | Path = sys.executable) -> None:
        self.folder = folder
        self.python = str(python)
        self.database = f"newcomer_{os.getpid()}"
        server = settings.DATABASES["default"]
        login = {f"PG{key}": str(server.get(key, "")) for key in ("HOST", "PORT", "USER")}
        login["PGPASSWORD"] = server.get("PASSWORD", "")
        ours = {"DJANGO_SETTINGS_MODULE", "DEBUG", "DEMO", "DATABASE_URL", "PYTHONPATH"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ours},
            **{name: value for name, value in login.items() if value},
            **WHO,
            "PYTHONWARNINGS": "error",
        }

    def connect(self, database: str = "") -> "psycopg.Connection[psycopg.rows.TupleRow]":
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
        login = {names[name]: value for name, value in self.environment.items() if name in names}
        return psycopg.connect(**login, dbname=database or self.database, autocommit=True)

    def __enter__(self) -> "Project":
        with self.connect("postgres") as session:
            session.execute(f'create database "{self.database}"')
        return self

    def __exit__(self, *exc_info: object) -> None:
        # The superuser's autovacuum may be at work there, which nobody else may end.
        with administrator("postgres") as session:
            session.execute(f'drop database "{self.database}" with (force)')

    def ask(self, query: str) -> list[tuple]:
        """Return the rows of a query in the project's database."""
        with self.connect() as session:
            return session.execute(query).fetchall()

    def run(self, *command: str, fails: bool | None = False) -> str:
        """Run the project's Python; return what it printed. It may fail where `fails` is None."""
        result = subprocess.run(
            [self.python, *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert fails in (None, bool(result.returncode)), result.stdout
        return result.stdout

    def manage(self, *command: str, fails: bool | None = False) -> str:
        return self.run("manage.py", *command, fails=fails)

    def copy_the_library(self) -> None:
        shutil.copytree(
            ROOT / "lo_storage",
            self.folder / "lo_storage",
            ignore=shutil.ignore_patterns("__pycache__"),
        )

    def follow(self, place: str, text: str) -> str:
        """Do what one step of a page says; return what was printed."""
        if place == "console":
            return "".join(self.type(line.removeprefix("$ ")) for line in text.splitlines())
        if place.endswith(".py") and text[0] in "+- ":
            self.change(place, text)
        elif place.endswith(".py"):
            with (self.folder / place).open("a") as file:
                file.write(text.replace('"mysite"', f'"{self.database}"'))
        else:
            raises = re.search(r"raise \w+\(\"(.*)\"\)", text)
            printed = self.manage("shell", "-c", text, fails=bool(raises))
            assert not raises or raises[1] in printed
            return printed
        return ""

    def change(self, place: str, diff: str) -> None:
        lines = diff.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        text = (self.folder / place).read_text()
        assert text.count(old) == 1, old
        (self.folder / place).write_text(text.replace(old, new))

    def type(self, command: str) -> str:
        """Run what a page has after a prompt; return what it printed."""
        match command.split():
            case ["django-admin", *arguments]:
                return self.run("-m", "django", *arguments)
            case ["python", "manage.py", "createsuperuser"]:
                return self.manage("createsuperuser", "--noinput", "--email=alice@example.com")
            case ["python", "manage.py", "check"]:
                printed = self.manage("check", "--database=default")
                assert "no issues (0 silenced)" in printed
                return printed
            case ["python", "manage.py", "runserver"]:
                return ""  # see serving()
            case ["python", "manage.py", *arguments]:
                return self.manage(*arguments)
            case ["pip", *_]:
                return ""  # see environment(); and __enter__() for `createdb`
            case ["pytest", *arguments, "lo_storage/tests"]:
                if self.all_tests:
                    arguments += ["--numprocesses=3", "--dist=loadfile", "lo_storage/tests"]
                else:  # All of them take minutes; these ask who we are.
                    arguments += ["lo_storage/tests/test_privileges.py"]
                return self.run("-m", "pytest", *arguments)
            case ["sed", *_]:
                subprocess.run(command, shell=True, cwd=self.folder, check=True)
                return ""
        raise NotImplementedError(command)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the development server; yield its address."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = self.folder.parent / f"{self.folder.name}.log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [self.python, "manage.py", "runserver", f"{port}", "--noreload"],
                cwd=self.folder,
                env=self.environment | {"PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=output,
            )
        try:
            until(lambda: server.poll() is not None or "Quit the server" in log.read_text())
            assert server.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


class Browser(requests.Session):
    """What a browser does with Django's forms."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.trust_env = False
        self.address = address

    def look(self, path: str, **headers: str) -> requests.Response:
        return self.get(self.address + path, headers=headers, timeout=20)

    def submit(self, path: str, files: dict | None = None, **fields: str) -> requests.Response:
        page = self.look(path)
        (token, *_) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        fields["csrfmiddlewaretoken"] = token
        return self.post(page.url, data=fields, files=files, timeout=20)


if __name__ == "__main__":  # for .ci/bake
    write_an_app(Path(sys.argv[1]))
