"""lo_storage can be copied out: Django, psycopg and the standard library are all it needs."""

import ast
import re
import sys
import tomllib
from importlib.util import resolve_name
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parent.parent / "lo_storage"
# asgiref comes with Django.
ALLOWED = {"asgiref", "django", "lo_storage", "psycopg", *sys.stdlib_module_names}

OPTIONAL = {  # which nothing else imports
    "panels": {"debug_toolbar"},
    "uploads/ninja": {"ninja", "pydantic", "pydantic_core"},
    "uploads/rest_framework": {"rest_framework"},
}

# The tests go along, with what makes them run.
FOR_TESTS = {"hypothesis", "pytest"}


def imported(source, package):
    """Yield the name of each module that a module of a package imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield resolve_name("." * node.level + (node.module or ""), package)


def foreign(source, package, allowed=frozenset()):
    names = {name.partition(".")[0] for name in imported(source, package)}
    return sorted(names - ALLOWED - allowed)


def module(path):
    return path.relative_to(LIBRARY).with_suffix("").as_posix()


def modules(*, tests):
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY.parent).parts
        if ("tests" in parts) == tests:
            yield path, ".".join(parts[:-1])


def test_the_library_needs_nothing_else():
    found = {
        path: foreign(path.read_text(), package, OPTIONAL.get(module(path), set()))
        for path, package in modules(tests=False)
    }
    assert len(found) > 20
    assert {name: names for name, names in found.items() if names} == {}


def test_nothing_in_the_library_needs_what_is_optional():
    optional = tuple(f"lo_storage.{name.replace('/', '.')}" for name in OPTIONAL)
    needing = [
        path.name
        for path, package in modules(tests=False)
        for name in imported(path.read_text(), package)
        if name.startswith(optional)
    ]
    assert needing == []


def test_its_tests_need_nothing_of_the_site():
    found = {
        path: foreign(path.read_text(), package, FOR_TESTS) for path, package in modules(tests=True)
    }
    assert len(found) > 20
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import json, psycopg.errors\nfrom django import forms\nfrom . import names", []),
        ("import requests.sessions as s", ["requests"]),
        ("from PIL import Image", ["PIL"]),
        ("def f():\n    if True:\n        import config.settings", ["config"]),
        ("try:\n    import psycopg2\nexcept ImportError:\n    pass", ["psycopg2"]),
        ("from ..papers import models", None),
    ],
)
def test_an_import_of_anything_else_is_found(source, names):
    if names is None:
        with pytest.raises(ImportError, match="beyond top-level package"):
            foreign(source, "lo_storage")
    else:
        assert foreign(source, "lo_storage") == names


def layers(container):
    """The contract that import-linter holds: the names in each layer, from the top down."""
    pyproject = tomllib.loads((LIBRARY.parent / "pyproject.toml").read_text())
    (contract,) = (
        contract
        for contract in pyproject["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == [container]
    )
    there = [layer.split(" | ") for layer in contract["layers"]]
    return [sorted(name for name in layer if name[0] != "(") for layer in there]


@pytest.mark.parametrize(("table", "container"), [(0, "lo_storage"), (1, "lo_storage.serving")])
def test_the_map_in_the_readme_is_the_contract(table, container):
    readme = (LIBRARY / "README.md").read_text()
    tables = re.findall(r"^\| modules \|.*\n\| ---.*\n((?:\|.*\n)+)", readme, re.M)
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in tables[table].splitlines()]
    assert [sorted(row) for row in rows] == layers(container)
