"""What the README and docs/ say is held to the files that they speak of."""

import re
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from lo_storage.storage import db_file_storage

from .pages import PAGES, ROOT, blocks, name


def anchors(page: Path) -> set[str]:
    """What a forge calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    """The links to files and headings that are not there."""
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text())
    dead = []
    for file, anchor in links:
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(f"{file}#{anchor}")
    return dead


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_link_to_a_file_is_dead(path):
    assert dead_links(path) == []


@pytest.mark.django_db
def test_the_readme_s_example_of_a_python_file_patches_in_place():
    (code,) = [
        block.content for block in blocks(ROOT / "README.md") if "def write" in block.content
    ]
    exec(code, namespace := {})
    stored = db_file_storage.save("march.txt", ContentFile(b"march"))
    namespace["write"](db_file_storage.entry(stored).loid, b"M", 0)
    with db_file_storage.open(stored) as file:
        assert file.read() == b"March"


def test_each_system_check_is_on_the_page_about_them():
    modules = [path for path in (ROOT / "lo_storage").rglob("*.py") if "tests" not in path.parts]
    sources = "".join(path.read_text() for path in modules)
    ids = set(re.findall(r"lo_storage\.[EW]\d+", sources))
    described = re.findall(
        r"^## (lo_storage\.[EW]\d+):", (ROOT / "docs/checks.md").read_text(), re.M
    )
    assert described == sorted(ids)


def test_the_tree_in_the_readme_is_there():
    (tree,) = [block.content for block in blocks(ROOT / "README.md") if block.kind == "text"]
    folders = re.findall(r"(\w+)/ ", tree)
    assert len(folders) == 12
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_each_test_on_the_page_about_safety_is_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/safety.md").read_text()))
    folders = ["lo_storage/tests", "invoices/tests", "users/tests", "tests", "e2e"]
    sources = [path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")]
    there = {test for source in sources for test in re.findall(r"def (test_\w+)\(", source)}
    assert len(named) > 40
    assert named - there == set()


def test_the_tutorial_and_the_library_s_readme_make_the_same_model():
    models = [
        block.content
        for page in ["docs/tutorial.md", "lo_storage/README.md"]
        for block in blocks(ROOT / page)
        if "class Paper(" in block.content
    ]
    assert len(models) == 2
    assert models[0] == models[1]


def mirror(module: Path) -> Path:
    """The file of the tests of a module of the library."""
    name = "init" if module.stem == "__init__" else module.stem
    folder = module.parent.parent if module.parent.name == "commands" else module.parent
    return Path(folder) / f"test_{name}.py"


def test_the_map_of_the_tests_in_contributing_has_each_of_them():
    library = ROOT / "lo_storage"
    modules = [path.relative_to(library) for path in library.rglob("*.py")]
    modules = [path for path in modules if not {"tests", "migrations"}.intersection(path.parts)]
    inits = {Path(path.parent, "__init__.py") for path in modules if path.parent != Path()}
    mirrors = {mirror(path) for path in modules if path not in inits} - {
        Path("test_apps.py"),
        Path("uploads/test_apps.py"),
        # With the real packages, in tests/test_packages.py
        Path("uploads/test_ninja.py"),
        Path("uploads/test_rest_framework.py"),
    }
    there = {path.relative_to(library / "tests") for path in library.rglob("test_*.py")}
    assert mirrors - there == set()

    described = re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.M)
    (of_library,) = (part for part in described if part.startswith("The tests of the library"))
    (of_tree,) = (part for part in described if part.startswith("The tests of the tree"))
    rows = {part: re.findall(r"^\| (`.*?) \|", part, re.M) for part in (of_library, of_tree)}
    named = {part: re.findall(r"`([\w/]+\.py)`", " ".join(rows[part])) for part in rows}
    assert sorted(named[of_library]) == sorted(map(str, there - mirrors))
    assert sorted(named[of_tree]) == sorted(
        path.name for path in (ROOT / "tests").glob("test_*.py")
    )
