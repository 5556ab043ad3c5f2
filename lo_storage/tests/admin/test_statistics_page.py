import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from django.db import OperationalError, connection
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from lo_storage.admin import statistics_page
from lo_storage.models import LargeObject
from lo_storage.statistics import figures
from lo_storage.upkeep.staged import Staged

from ..models import Document

pytestmark = pytest.mark.usefixtures("admin_site", "nothing_of_other_tests", "installed_documents")

ADDRESS = "admin:lo_storage_largeobject_statistics"


@pytest.fixture
def look(admin_client):
    """A function that returns the page."""

    def look(**parameters):
        response = admin_client.get(reverse(ADDRESS), parameters)
        assert response.status_code == 200
        return response.content.decode()

    return look


def test_nothing(look):
    page = look()
    assert "0 files, 0\xa0bytes" in page
    assert "Growth" not in page


def test_what_is_staged(look, monkeypatch):
    monkeypatch.setattr(figures, "staged", lambda cursor: Staged(3, 2048, 1))
    page = look()
    assert "3, 2.0\xa0KB" in page
    assert "past their date by two days" in page


def test_bars_and_tables(look, save, settings):
    settings.LANGUAGE_CODE = "de"  # where a decimal point is a comma
    Document.objects.create(data=save(b"x" * 3000, "a.pdf"))
    Document.objects.create(data=save(b"x" * 1000, "<b>.txt"))
    page = look()
    assert re.findall(r'<rect width="([^"]+)"', page)[:2] == ["100.0", "33.333"]
    assert re.findall(r'<rect x="([^"]+)" y="([^"]+)"', page) == [("10.0", "0.0")]
    for part in ["lo_storage_tests.Document.data", "pg_largeobject", escape("<b>.txt")]:
        assert part in page
    assert "<b>" not in page
    assert "style=" not in page.partition("lo-statistics")[2]


def test_links_lead_to_the_files_that_they_count(look, save, admin_client):
    old, new = save(b"old", "a.pdf"), save(b"new")
    LargeObject.objects.filter(name=old).update(created_at=datetime(2025, 12, 31, 23, tzinfo=UTC))
    page = look().replace("&amp;", "&")
    address = reverse("admin:lo_storage_largeobject_changelist")
    queries = dict.fromkeys(re.findall(rf'href="{address}\?([^"]+)"', page))
    found = {}
    for query in queries:
        response = admin_client.get(address, dict(parse_qsl(query)))
        found[query] = [file.name for file in response.context["cl"].result_list]
    assert sorted(found.values()) == sorted([[old], [new], [old], [new]])
    assert reverse("admin:lo_storage_largeobject_change", args=[old.split(".")[0]]) in page


def test_what_nobody_names_is_looked_for_where_it_is_asked_for(look, save):
    save(b"four")
    LargeObject.objects.update(created_at=datetime(2026, 1, 5, tzinfo=UTC))
    assert "that nobody names (" not in look()
    page = look(unnamed="1")
    assert "1, 4\xa0bytes" in page
    assert "Look for" not in page


def test_staff_need_the_permission_to_view(staff):
    assert staff().get(reverse(ADDRESS)).status_code == 403


def test_staff_with_the_permission_to_view(staff):
    client = staff(LargeObject)
    assert client.get(reverse(ADDRESS)).status_code == 200
    assert client.post(reverse(ADDRESS)).status_code == 405
    listed = client.get(reverse("admin:lo_storage_largeobject_changelist"))
    assert f'<a href="{reverse(ADDRESS)}">Statistics</a>' in listed.content.decode()


def test_what_takes_too_long_is_said(look, monkeypatch):
    monkeypatch.setattr(figures, "LARGEST", "select pg_sleep(60), '', 0, now()")
    with connection.cursor() as cursor:
        cursor.execute("set statement_timeout = '200ms'")
        try:
            assert "Run manage.py lo_stats instead." in look()
        finally:
            cursor.execute("reset statement_timeout")


def test_another_error_of_the_database_is_not_hidden(monkeypatch, rf):
    monkeypatch.setattr(figures, "LARGEST", "select pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError):
        statistics_page.context("default", False, "admin")
    connection.close()


def test_the_last_month_of_a_year_is_whole():
    month = figures.Month(datetime(2025, 12, 1).date(), 1, 1)
    with timezone.override("Europe/Berlin"):
        assert statistics_page._of_month(month) == {
            "created_at__gte": "2025-11-30 23:00:00+00:00",
            "created_at__lt": "2025-12-31 23:00:00+00:00",
        }
