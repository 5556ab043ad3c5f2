"""Large objects that are catalogued where they are."""

import pytest
from django.core.management import CommandError

from lo_storage.models import LargeObject

from .steps import content_of, lo_import


def test_what_another_column_has_is_not_adopted(objects, another_table):
    theirs, mine = objects(b"theirs", b"mine")
    another_table(theirs.number)
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
        lo_import(from_field="number", adopt=True)
    assert content_of(mine) == b"mine"
    assert list(LargeObject.objects.values_list("loid", flat=True)) == [mine.number]


def test_large_objects_are_adopted_where_they_are(objects, large_objects):
    first, second = objects(b"first", b"second")
    again = type(first).objects.create(title="again.txt", number=first.number)
    before = large_objects()
    printed = lo_import(from_field="number", name_field="title", adopt=True)
    assert printed == "Moved: 3. Not moved: 0.\n"
    assert large_objects() == before
    assert (content_of(first), content_of(second), content_of(again)) == (
        b"first",
        b"second",
        b"first",
    )
    assert first.data.name == again.data.name == f"{first.number}.pdf"
    assert LargeObject.objects.get(name=first.data.name).original_name == first.title
