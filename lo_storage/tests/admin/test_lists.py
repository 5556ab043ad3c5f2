from datetime import UTC, datetime

import pytest
from django.db import connection
from django.urls import reverse

from lo_storage.admin import lists
from lo_storage.models import LargeObject

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("admin_site")]

MORE = "There are more than the"


@pytest.fixture
def look(admin_client):
    """A function that returns the list, as the page has it, and the page."""

    def look(**parameters):
        response = admin_client.get(reverse("admin:lo_storage_largeobject_changelist"), parameters)
        assert response.status_code == 200
        return [file.name for file in response.context["cl"].result_list], response

    return look


def test_the_newest_come_first(look, save):
    names = [save() for _ in range(3)]
    LargeObject.objects.filter(name=names[0]).update(created_at=datetime(2040, 1, 1, tzinfo=UTC))
    found, response = look()
    assert found == [names[0], names[2], names[1]]
    assert MORE not in response.content.decode()
    assert look(o="4")[0] == found[::-1]


def test_no_more_are_counted_than_somebody_reads(look, save, monkeypatch, round_trips):
    monkeypatch.setattr(lists, "MOST", 4)
    names = [save(name=f"{n}.txt") for n in range(5)]
    for parameters in [{}, {"type": ".txt"}, {"q": "txt"}]:
        with round_trips:
            found, response = look(**parameters)
        assert found == names[::-1]
        assert response.context["cl"].result_count == 4
        assert MORE in response.content.decode()
        counts = [sql for sql in round_trips if "COUNT(" in sql]
        assert all("LIMIT 5" in sql for sql in counts)
        round_trips.clear()
    LargeObject.objects.get(name=names[0]).delete()
    for parameters in [{}, {"type": ".txt"}, {"q": "txt"}]:
        found, response = look(**parameters)
        assert (found, response.context["cl"].result_count) == (names[:0:-1], 4)
        assert MORE not in response.content.decode()


def test_what_is_rare_is_looked_for_once_and_in_no_order(look, save, round_trips):
    save(name="a.txt")
    with round_trips:
        look(q="zzz", type=".txt")
    (searching,) = [sql for sql in round_trips if "@@" in sql]
    assert "ORDER BY" not in searching


def test_by_type(look, save):
    names = {
        name: save(name=name) for name in ["a.pdf", "b.PDF", "c.tar.gz", "d", "e.xpdf", "f._df"]
    }
    found, response = look(type=".pdf")
    assert found == [names["b.PDF"], names["a.pdf"]]
    (types,) = [spec for spec in response.context["cl"].filter_specs if spec.title == "type"]
    assert [key for key, _ in types.lookup_choices] == ["none", ".pdf", ".tar.gz", ".xpdf"]
    assert look(type=".gz")[0] == [names["c.tar.gz"]]
    assert look(type="._df")[0] == []
    assert look(type="%")[0] == []
    assert names["d"] in look(type="none")[0]


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ("empty", [0]),
        ("small", [1, 2**20 - 1]),
        ("medium", [2**20]),
        ("large", [10 * 2**20]),
        ("huge", [100 * 2**20]),
        ("nonsense", [0, 1, 2**20 - 1, 2**20, 10 * 2**20, 100 * 2**20]),
    ],
)
def test_by_size(look, save, size, found):
    for number in [0, 1, 2**20 - 1, 2**20, 10 * 2**20, 100 * 2**20]:
        LargeObject.objects.filter(name=save()).update(size=number)
    names, _ = look(size=size)
    assert sorted(LargeObject.objects.get(name=name).size for name in names) == found


def test_by_date(look, save):
    old, new = save(), save()
    LargeObject.objects.filter(name=old).update(created_at=datetime(2024, 2, 3, tzinfo=UTC))
    assert look(
        created_at__gte="2024-02-01 00:00:00+00:00", created_at__lt="2024-03-01 00:00:00+00:00"
    )[0] == [old]
    assert look(created_at__gte="2024-03-01 00:00:00+00:00")[0] == [new]


def test_the_order_of_the_list_is_that_of_an_index(save):
    with connection.cursor() as cursor:
        cursor.execute("set local enable_sort = off")
        cursor.execute("set local enable_incremental_sort = off")
        cursor.execute(f"explain {LargeObject.objects.order_by('-created_at', '-loid').query}")
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert "Index Scan Backward using lo_storage_largeobject_newest" in plan
