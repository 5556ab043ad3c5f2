import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from lo_storage.management.commands import lo_stats
from lo_storage.models import LargeObject
from lo_storage.statistics import figures
from lo_storage.upkeep.staged import Staged

from ..models import Document

pytestmark = pytest.mark.usefixtures("nothing_of_other_tests", "installed_documents")


def stats(**options):
    call_command("lo_stats", stdout=(out := StringIO()), stderr=(err := StringIO()), **options)
    assert err.getvalue() == ""
    return out.getvalue()


def test_it_is_printed_for_a_person(save):
    Document.objects.create(data=save(b"x" * 2048, "march.pdf"))
    save(b"", "\x1b[31mred\n.txt")
    out = stats()
    assert out.startswith("Files: 2, 2.0 KB.\n\nTable ")
    for part in [
        "\n\nType  files     size\n.pdf      1   2.0 KB\n.txt      1  0 bytes\n\n",
        "march.pdf\n",
        "?[31mred?.txt\n",
        "Files without their large object: 0.\n",
        "Files older than a day that nobody names: 0, 0 bytes. manage.py lo_clean lists them.\n",
    ]:
        assert part in out
    assert re.search(r"^lo_storage_tests\.Document\.data +1 +1 +2\.0 KB$", out, re.M)


def test_what_is_staged_is_printed(monkeypatch):
    monkeypatch.setattr(figures, "staged", lambda cursor: Staged(3, 2048, 0))
    assert "Uploads that no row has taken: 3, 2.0 KB.\n" in stats()
    assert "lo_expire" not in stats()
    monkeypatch.setattr(figures, "staged", lambda cursor: Staged(3, 2048, 1))
    assert "past their date by two days: 1. manage.py lo_expire deletes them.\n" in stats()
    assert json.loads(stats(json=True))["staged"] == {"uploads": 3, "bytes": 2048, "overdue": 1}


def test_nothing_is_printed_for_a_person():
    out = stats(skip_unnamed=True)
    assert out.startswith("Files: 0, 0 bytes.")
    assert "Month" not in out
    assert "that nobody names" not in out


def test_json_is_one_object(save):
    Document.objects.create(data=save(b"march", "march.pdf"))
    (line,) = stats(json=True).splitlines()
    found = json.loads(line)
    assert (found["files"], found["bytes"], found["database"]) == (1, 5, "default")
    assert found["types"] == [{"name": ".pdf", "files": 1, "bytes": 5}]
    assert found["largest"][0]["original_name"] == "march.pdf"
    assert found["unnamed"]["files"] == 0
    (month,) = found["months"]
    assert month["month"] == f"{LargeObject.objects.get().created_at:%Y-%m-01}"
    assert json.loads(stats(json=True, skip_unnamed=True))["unnamed"] is None


def test_metrics_are_for_a_collector(save):
    save(b"march")
    out = stats(prometheus=True)
    assert 'lo_storage_file_bytes{database="default"} 5\n' in out
    assert not out.endswith("\n\n")


def test_json_and_metrics_at_once_are_refused():
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("lo_stats", "--json", "--prometheus")


def raising(error):
    def gather(*args):
        raise error

    return gather


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OperationalError("the server is away\n"), 2, "could not look: the server is away"),
        (KeyboardInterrupt(), 130, "interrupted before its end"),
    ],
)
def test_what_stops_it_is_said(monkeypatch, error, status, said):
    monkeypatch.setattr(lo_stats, "gather", raising(error))
    with pytest.raises(CommandError) as raised:
        stats()
    assert (raised.value.returncode, str(raised.value)) == (status, said)


def test_rows_elsewhere_are_said(rows_elsewhere):
    with pytest.raises(CommandError, match="could not look: the rows of"):
        stats()


def test_on_a_terminal_it_says_that_it_counts(monkeypatch):
    terminal = StringIO()
    terminal.isatty = lambda: True
    call_command("lo_stats", stdout=StringIO(), stderr=terminal)
    assert terminal.getvalue() == "\r\x1b[KCounting …\r\x1b[K"
