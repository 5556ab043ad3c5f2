"""lo_storage can be copied out: Django, psycopg and the standard library are all it needs."""

import ast
import sys
from pathlib import Path

LIBRARY = Path(__file__).parent.parent / "lo_storage"
# asgiref comes with Django.
ALLOWED = {"asgiref", "django", "lo_storage", "psycopg", *sys.stdlib_module_names}

OPTIONAL = {"panels.py": {"debug_toolbar"}}  # which nothing else imports


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def modules():
    modules = [path for path in LIBRARY.rglob("*.py") if "tests" not in path.parts]
    assert len(modules) > 10
    return modules


def test_the_library_needs_nothing_else():
    foreign = {
        f"{path.relative_to(LIBRARY)}: {name}"
        for path in modules()
        for name in imported(path)
        if name.split(".")[0] not in ALLOWED | OPTIONAL.get(path.name, set())
    }
    assert foreign == set()
