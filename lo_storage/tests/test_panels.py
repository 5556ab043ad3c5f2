import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from lo_storage import catalogue, large_objects
from lo_storage.large_objects import WRITE_SIZE
from lo_storage.storage import db_file_storage

panels = pytest.importorskip("lo_storage.panels", reason="a project may have no debug toolbar")


class Toolbar:
    """As much of the toolbar as a panel asks for, so that no project has to install it."""

    request_id = "1"

    def __init__(self):
        self.stats = {}
        self.store = self

    def save_panel(self, request_id, panel_id, stats):
        self.saved = stats


@pytest.fixture
def panel(db):
    panel = panels.LargeObjectsPanel(Toolbar(), None)
    panel.enable_instrumentation()
    yield panel
    panel.disable_instrumentation()


def operations(panel):
    """What it has to show, without the times."""
    panel.disable_instrumentation()
    panel.generate_stats(None, None)
    return [(*row[:4], row[5]) for row in panel.get_stats()["operations"]]


def test_it_shows_each_operation_with_object_bytes_and_round_trips(panel, save):
    name = save(b"12345", "<march>.txt")
    db_file_storage.exists(name)
    with db_file_storage.open(name) as file:
        file.read()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    loid = str(file.file.loid)
    assert operations(panel) == [
        ("create", name, 5, 0, 1),
        ("find", name, 0, 0, 1),
        ("open", loid, 0, 5, 1),
    ]
    assert panel.nav_subtitle.startswith("3 round trips in ")
    assert f"<td>create</td><td>{name}</td><td>5</td><td></td>" in panel.content
    assert "<tr><td>Total</td><td></td><td>5</td><td>5</td>" in panel.content


def test_it_counts_the_round_trips_of_one_operation_together(panel, save):
    name = save(bytes(3 * WRITE_SIZE))
    loid = name.partition(".")[0]
    with db_file_storage.open(name) as file:
        assert len(file.read()) == 3 * WRITE_SIZE
        assert sum(map(len, file.chunks())) == 3 * WRITE_SIZE
    assert operations(panel) == [
        ("create", name, WRITE_SIZE, 0, 1),
        ("write", loid, 2 * WRITE_SIZE, 0, 2),
        ("complete", loid, 0, 0, 1),
        ("open", loid, 0, 1, 1),  # the last byte
        ("read", loid, 0, 6 * WRITE_SIZE, 5),
    ]


def test_a_statement_that_fails_is_shown(panel):
    with connection.cursor() as cursor:
        cursor.execute("alter table lo_storage_largeobject rename to elsewhere")
    with pytest.raises(ImproperlyConfigured):
        db_file_storage.exists("1.txt")
    assert operations(panel) == [("find", "1.txt", 0, 0, 1)]


def test_without_instrumentation_it_shows_nothing(panel, save):
    panel.disable_instrumentation()
    save()
    assert operations(panel) == []
    assert panel.nav_subtitle == "0 round trips in 0.0 ms"
    assert panel.content == "<p>This request used no large object.</p>"


def test_it_knows_each_statement_of_the_library():
    statements = {
        text
        for module in (catalogue, large_objects)
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str) and " " in text
    }
    assert statements <= set(panels.OPERATIONS)  # and those of the uploads, if they are there
