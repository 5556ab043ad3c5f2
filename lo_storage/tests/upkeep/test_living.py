from hashlib import sha256
from io import BytesIO

import pytest

from lo_storage.catalogue import Entry
from lo_storage.database import cursor
from lo_storage.models import LargeObject
from lo_storage.upkeep.backups import Saved
from lo_storage.upkeep.living import PAGE, Living, compare

from ..databases import sql

LOST = bytes(PAGE)
CONTENT = b"".join(bytes([letter]) * PAGE for letter in b"abc") + b"d"


def compared(name):
    """Compare what has the number of a file with a backup that has CONTENT under it."""
    entry = Entry(*LargeObject.objects.values_list().get(name=name))
    saved = Saved(entry.loid, entry, BytesIO(CONTENT), len(CONTENT), sha256(CONTENT).hexdigest())
    with cursor("default") as c:
        return compare(c, entry, saved)


@pytest.mark.parametrize(
    ("living", "is_rest"),
    [
        (CONTENT, True),
        (b"", True),
        (CONTENT[:PAGE], True),
        (CONTENT[:PAGE] + LOST + CONTENT[2 * PAGE :], True),
        (CONTENT[:-1] + b"\0", True),
        (CONTENT[:-1] + b"e", False),
        (CONTENT[: PAGE - 1] + LOST + CONTENT[2 * PAGE - 1 :], False),
    ],
)
@pytest.mark.django_db
def test_whether_it_is_what_is_left_of_the_file(save, living, is_rest):
    assert compared(save(living)) == Living(True, sha256(living).hexdigest(), is_rest)


@pytest.mark.django_db
def test_what_is_larger_is_not_read(save):
    name = save(CONTENT)
    sql(f"select lo_put({name.partition('.')[0]}, {len(CONTENT)}, 'e')")
    assert compared(name) == Living(True, None, False)


def test_nothing_has_the_number(transactional_db, save):
    name = save(CONTENT)
    sql(f"select lo_unlink({name.partition('.')[0]})")
    assert compared(name) is None


def test_what_is_another_role_s_is_not_read(transactional_db, save, somebody_else):
    name = save(CONTENT)
    somebody_else(name)
    assert compared(name) == Living(False, None, False)
