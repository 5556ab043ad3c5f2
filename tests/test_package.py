"""The package that is built is the library alone, and works where it is installed."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from email import message_from_bytes
from zipfile import ZipFile

import pytest

from .newcomer import ROOT, Project, environment, steps

LIBRARY = ROOT / "lo_storage"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME, VERSION = PYPROJECT["name"].replace("-", "_"), PYPROJECT["version"]
SOURCES = {
    str(path.relative_to(ROOT))
    for path in LIBRARY.rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
# The wheel has the first two in its metadata.
NOT_IN_THE_WHEEL = ("lo_storage/LICENSE", "lo_storage/README.md", "lo_storage/tests/")

EVERY_MODULE = """
from importlib import import_module
from pkgutil import iter_modules

import django
from django.conf import settings

settings.configure(INSTALLED_APPS=["lo_storage"])
django.setup()
import lo_storage

print(lo_storage.__file__)
NEED_OTHERS = {"admin", "panels", "uploads.ninja", "uploads.rest_framework"}


def import_all(package):
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        if module.name.removeprefix("lo_storage.") not in NEED_OTHERS:
            imported = import_module(module.name)
            if module.ispkg:
                import_all(imported)


import_all(lo_storage)
"""


def run(*command):
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A source distribution, and the wheel that was built from it."""
    directory = tmp_path_factory.mktemp("dist")
    run("build", "--no-isolation", f"--outdir={directory}")
    return directory / f"{NAME}-{VERSION}.tar.gz", directory / f"{NAME}-{VERSION}-py3-none-any.whl"


def test_the_wheel_holds_the_library_alone(built):
    with ZipFile(built[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licence = wheel.read(f"{NAME}-{VERSION}.dist-info/licenses/lo_storage/LICENSE")
    assert "lo_storage/py.typed" in names
    assert names == {name for name in SOURCES if not name.startswith(NOT_IN_THE_WHEEL)}
    assert licence == (LIBRARY / "LICENSE").read_bytes()


def test_the_source_distribution_holds_the_library_and_its_tests(built):
    with tarfile.open(built[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names == SOURCES | {".gitignore", "CHANGELOG.md", "PKG-INFO", "pyproject.toml"}


def test_what_the_index_shows(built):
    assert "PASSED" in run("twine", "check", "--strict", *map(str, built))
    assert run("check_wheel_contents", str(built[1])).strip().endswith("OK")
    with ZipFile(built[1]) as wheel:
        metadata = message_from_bytes(wheel.read(f"{NAME}-{VERSION}.dist-info/METADATA"))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload(decode=True) == (LIBRARY / "README.md").read_bytes()
    # On another host a relative link leads nowhere.
    assert re.findall(r"\]\((?!https://)[^)]*\)|^\[.*\]:|<(?:a|img) ", metadata.get_payload()) == []
    assert sorted(metadata.get_all("Requires-Dist")) == ["django<7,>=5.2", "psycopg>=3.2"]


def test_it_works_where_it_is_installed(built, request, tmp_path):
    python = environment(
        request.config.cache.mkdir("package"), "django>=5.2,<7", "psycopg[binary]>=3.2"
    )
    run("pip", "--python", python, "install", "--force-reinstall", "--no-deps", built[1])
    run("uv", "pip", "check", "--python", python)
    with Project(tmp_path, python) as project:
        assert "site-packages/lo_storage/__init__.py" in project.run("-c", EVERY_MODULE)

        (_, make), *others = steps((LIBRARY / "README.md").read_text())
        project.follow("console", make)
        for place, text in others:
            if place.endswith(".py"):
                project.follow(place, text)
        project.manage("makemigrations", "papers")
        project.manage("migrate")
        save = next(text for place, text in others if place == "python manage.py shell")
        project.follow("python manage.py shell", save)
        assert project.ask(
            "select title, original_name, convert_from(lo_get(loid), 'utf8')"
            "  from papers_paper join lo_storage_largeobject on name = data"
        ) == [("March", "march.pdf", "march")]


@pytest.mark.parametrize(
    ("django", "printed"),
    [
        ("4.2", "lo-storage 0.1.0 depends on django<7 and >=5.2"),
        ("5.2", "Would install lo-storage-0.1.0\n"),
    ],
)
def test_the_line_of_the_readme_brings_no_other_django(built, request, django, printed):
    """From a wheel and from a repository."""
    python = environment(
        request.config.cache.mkdir(f"package-{django}"), f"django=={django}.*", "psycopg[binary]"
    )
    (line,) = re.findall(r"^ +\$ (pip install .*git.*)$", (LIBRARY / "README.md").read_text(), re.M)
    address = f"file://{built[1]}" if django == "4.2" else f"git+file://{ROOT}"
    line = line.replace("git+https://…", address)
    pip = f"pip() {{ {sys.executable} -m pip --python '{python}' \"$@\" --dry-run; }}"
    done = subprocess.run(
        ["bash", "-euc", f"{pip}; {line}"],
        env=os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"},
        cwd=python.parent,  # where no folder has the name of a package
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert printed in done.stdout
    assert bool(done.returncode) == (django == "4.2")
