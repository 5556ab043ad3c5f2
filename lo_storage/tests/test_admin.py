"""The catalogue in the admin is there to be looked at."""

from unicodedata import normalize

import pytest
from django.contrib.admin import AdminSite
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage

from lo_storage.admin import LargeObjectAdmin
from lo_storage.models import LargeObject

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return LargeObjectAdmin(LargeObject, AdminSite())


def test_a_row_is_looked_at_and_neither_made_nor_changed_nor_deleted(admin, admin_user, rf):
    request = rf.get("/")
    request.user = admin_user
    assert admin.get_model_perms(request) == {
        "add": False,
        "change": False,
        "delete": False,
        "view": True,
    }


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
