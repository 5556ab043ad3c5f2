"""The documentation is built without a warning: each link, anchor and name in it is there."""

import importlib.util
import posixpath
import re
import shutil
import subprocess
import sys
from contextlib import closing, suppress
from http.client import HTTPConnection

import pytest
from sphinx.util.inventory import InventoryFile

from config.demo import free_port

from .pages import PAGES, ROOT
from .web_servers import eventually


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """What bin/docs --build makes."""
    site = tmp_path_factory.mktemp("site")
    built = subprocess.run([ROOT / "bin/docs", "--build", site], capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    return site


def test_each_page_is_in_the_site(site):
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {page.stem for page in site.glob("*.html")}


def test_the_reference_has_what_is_public(site):
    with (site / "objects.inv").open("rb") as file:
        described = InventoryFile.load(file, "", posixpath.join)
    names = {name for kind, entries in described.items() if kind[:3] == "py:" for name in entries}
    for name in [
        "storage.DbFileStorage.delete",
        "storage.db_file_storage",
        "storage.db_for_read",
        "storage.DbFileIO.truncate",
        "fields.DbFileField",
        "fields.DbImageField",
        "constraints.LargeObjectReference",
        "views.db_serve",
        "views.adb_serve",
        "serving.headers.describe",
        "serving.headers.SHOWN",
        "models.LargeObject",
        "catalogue.Entry",
    ]:
        assert f"lo_storage.{name}" in names
    assert used() - {"lo_storage.uploads.urls"} <= names  # which is included
    reference = (site / "reference.html").read_text()
    for option in ["--delete", "--hours", "--database"]:
        assert f'<span class="pre">{option}</span>' in reference


def test_bin_docs_installs_what_the_reference_imports():
    """Which the packages of the tests would hide here: the panel needs the toolbar."""
    assert "lo_storage.panels" in (ROOT / "docs/reference.md").read_text()
    assert "\ndjango-debug-toolbar==" in (ROOT / "requirements/docs.txt").read_text()


def test_one_command_serves_the_site():
    port = free_port(8500)

    def answer():
        with suppress(ConnectionRefusedError), closing(HTTPConnection("127.0.0.1", port)) as client:
            client.request("GET", "/")
            return client.getresponse().read().decode()

    with subprocess.Popen([ROOT / "bin/docs", f"--port={port}"]) as docs:
        try:
            eventually(lambda: docs.poll() or answer(), bool, seconds=120)
            assert "<title>lo_storage</title>" in answer()
        finally:
            docs.terminate()
    assert answer() is None


def used():
    """What the pages import, or name in a setting."""
    pages = "".join(page.read_text() for page in PAGES)
    imported = re.findall(r"^\+?(?: {3})?from (lo_storage\.\w+) import (.+)$", pages, re.M)
    named = re.findall(r"\"(lo_storage\.\w+\.\w+)\"", pages)
    return {f"{module}.{name}" for module, names in imported for name in names.split(", ")} | {
        *named
    }


def pictures():
    """The pictures that bin/pictures takes."""
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs/pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PICTURES


def test_each_picture_is_made_by_a_script_and_shown():
    there = {path.name for kind in ("png", "svg") for path in (ROOT / "docs").glob(f"*.{kind}")}
    assert there == {*pictures(), "benchmark.svg", "why.svg"}
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert there == set(re.findall(r"!\[[^\]]{20,}\]\(([\w.]+)\)", pages))


def test_tables_and_plots_are_what_the_benchmark_writes(tmp_path):
    drawn = ["performance.md", "why.md", "benchmark.svg", "why.svg"]
    for name in ["benchmark.json", "performance.md", "why.md"]:
        shutil.copy(ROOT / "docs" / name, tmp_path)
    redraw = [sys.executable, "-m", "benchmarks", "--redraw", f"--into={tmp_path}"]
    subprocess.run(redraw, cwd=ROOT, check=True)
    there = {name: (ROOT / "docs" / name).read_text() for name in drawn}
    stale = [name for name in drawn if (tmp_path / name).read_text() != there[name]]
    assert stale == [], "bin/bench --redraw mends it"
