"""What the README and docs/ say is held to the files that they speak of."""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "lo_storage/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


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


def test_the_readme_s_excerpts_stand_in_the_files_that_they_are_from():
    sections = re.split(r"^From \[`([^`]+)`\]", (ROOT / "README.md").read_text(), flags=re.M)[1:]
    excerpts = [
        (file, excerpt)
        for file, text in zip(sections[::2], sections[1::2], strict=True)
        for excerpt in re.findall(
            r"```python\n(.*?)```", text.partition("\n\nA file is also")[0], re.S
        )
    ]
    assert [file for file, _ in excerpts] == [*["invoices/models.py"] * 2, "invoices/views.py"]
    for file, excerpt in excerpts:
        assert excerpt in (ROOT / file).read_text()


@pytest.mark.django_db
def test_the_readme_s_example_of_a_python_file_runs():
    from django.core.files.base import ContentFile

    from lo_storage.storage import db_file_storage

    (code,) = re.findall(
        r"```python\n(from django.db import transaction\n.*?)```",
        (ROOT / "README.md").read_text(),
        re.S,
    )
    namespace: dict = {}
    exec(code, namespace)
    stored = db_file_storage.save("march.txt", ContentFile(b"march"))
    namespace["write"](db_file_storage.entry(stored).loid, b"M", 0)
    with db_file_storage.open(stored) as file:
        assert file.read() == b"March"


def test_each_system_check_is_on_the_page_about_them():
    sources = "".join(path.read_text() for path in (ROOT / "lo_storage").glob("*.py"))
    ids = set(re.findall(r"lo_storage\.[EW]\d+", sources))
    described = re.findall(
        r"^## (lo_storage\.[EW]\d+):", (ROOT / "docs/checks.md").read_text(), re.M
    )
    assert described == sorted(ids)


def test_the_tree_in_the_readme_is_there():
    (tree,) = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    folders = re.findall(r"(\w+)/ ", tree)
    assert len(folders) == 10
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_each_test_on_the_page_about_safety_is_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/safety.md").read_text()))
    folders = ["lo_storage/tests", "invoices/tests", "tests", "e2e"]
    sources = [path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")]
    there = {test for source in sources for test in re.findall(r"def (test_\w+)\(", source)}
    assert len(named) > 40
    assert named - there == set()


def test_the_tutorial_and_the_library_s_readme_make_the_same_model():
    models = [
        textwrap.dedent(block)
        for page in ["docs/tutorial.md", "lo_storage/README.md"]
        for block in re.findall(r"^ *```python\n(.*?)```", (ROOT / page).read_text(), re.S | re.M)
        if "class Paper(" in block
    ]
    assert len(models) == 2
    assert models[0] == models[1]
