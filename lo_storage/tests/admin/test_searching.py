from unicodedata import normalize

import pytest
from django.contrib.admin import AdminSite
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import connection

from lo_storage.admin import LargeObjectAdmin
from lo_storage.models import LargeObject

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return LargeObjectAdmin(LargeObject, AdminSite())


@pytest.mark.parametrize("field", ["name", "original_name", "sha256"])
def test_a_file_is_found_by_its_names_and_its_checksum(admin, save, rf, field):
    save(b"another")
    entry = LargeObject.objects.get(name=save(b"march", "march.pdf"))
    everything = LargeObject.objects.all()
    found, _ = admin.get_search_results(rf.get("/"), everything, getattr(entry, field))
    assert list(found) == [entry]


@pytest.mark.parametrize("stored", ["NFC", "NFD"])  # Windows and Linux; macOS
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_a_name_is_found_in_either_form_of_unicode(admin, save, rf, stored, asked):
    save(name="Cafe.pdf")
    name = save(name=normalize(stored, "Überweisung Café.pdf"))
    everything = LargeObject.objects.all()
    for words in ["café überweisung", '"überweisung café"']:
        found, _ = admin.get_search_results(rf.get("/"), everything, normalize(asked, words))
        assert [entry.name for entry in found] == [name]


def test_words_beyond_the_eighth_are_not_looked_for(admin, save, rf):
    name = save(name="one two three four five six seven eight.txt")
    save(name="two three four five six seven eight.txt")
    request = rf.get("/")
    request._messages = CookieStorage(request)
    everything = LargeObject.objects.all()
    for words, told in [
        ("one two three four five six seven eight", []),
        (
            "one two three four five six seven eight nine ten",
            ["Only the first 8 words were searched for."],
        ),
    ]:
        found, _ = admin.get_search_results(request, everything, words)
        assert [entry.name for entry in found] == [name]
        assert [str(message) for message in get_messages(request)] == told


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ("march", True),
        ("MARCH rent", True),
        ("rent mar", True),
        ("2026-0012.pdf", True),
        ("2026-001", True),
        ("0012", True),
        ('"rent_of_march"', True),
        ("'rent_of_march 2026'", True),
        ('"march rent"', False),
        ("12", False),
        ("arch", False),
        ("march april", False),
        ("-", False),
        ("it's", False),
        ('"', False),
        ("%", False),
        ("\\", False),
    ],
)
def test_words_are_found_by_their_beginning(admin, save, rf, asked, is_found):
    name = save(name="Rent_of_March 2026-0012.pdf")
    save(name="another.txt")
    found, _ = admin.get_search_results(rf.get("/"), LargeObject.objects.all(), asked)
    assert [entry.name for entry in found] == [name] * is_found


def test_a_number_and_a_checksum_however_they_are_written(admin, save, rf):
    entry = LargeObject.objects.get(name=save(b"march", "march.pdf"))
    save(b"another")
    for asked in [str(entry.loid), entry.sha256.upper()]:
        found, _ = admin.get_search_results(rf.get("/"), LargeObject.objects.all(), asked)
        assert list(found) == [entry]


def test_the_index_is_used(admin, save, rf):
    save()
    found, _ = admin.get_search_results(rf.get("/"), LargeObject.objects.all(), "march")
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
    assert "lo_storage_largeobject_words" in found.explain()


def test_a_name_of_any_length_can_be_stored(save):
    name = save(name="é" * 3000 + " " + "x" * 2_000_000)
    assert LargeObject.objects.get(name=name).original_name.startswith("éé")
