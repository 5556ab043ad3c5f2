import pytest
from django.db import connection

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


@pytest.mark.django_db
def test_it_shows_each_statement_with_object_bytes_and_time(save):
    panel = panels.LargeObjectsPanel(Toolbar(), None)
    panel.enable_instrumentation()
    name = save(b"12345", "<march>.txt")
    db_file_storage.exists(name)
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    panel.disable_instrumentation()
    panel.disable_instrumentation()
    db_file_storage.exists(name)
    panel.generate_stats(None, None)
    statements = panel.get_stats()["statements"]
    assert [statement[:3] for statement in statements] == [
        ("create", "<march>.txt", 5),
        ("find", name, 0),
    ]
    assert panel.nav_subtitle.startswith("2 round trips in ")
    assert "<td>create</td><td>&lt;march&gt;.txt</td><td>5</td>" in panel.content
