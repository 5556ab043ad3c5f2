import pytest
from django.core.serializers import deserialize, serialize
from django.db import NotSupportedError, connection

from lo_storage.models import LargeObject

pytestmark = pytest.mark.django_db


def test_truncating_the_catalogue_deletes_the_objects(save, large_objects):
    before = large_objects()
    save()
    with connection.cursor() as cursor:
        cursor.execute("truncate lo_storage_largeobject cascade")
    assert large_objects() <= before


def test_a_batch_of_catalogue_rows_is_not_made_without_their_objects(save):
    entry = LargeObject.objects.get(name=save())
    entry.loid, entry.name = 4_294_967_295, "4294967295.txt"
    with pytest.raises(NotSupportedError, match="together with its large object"):
        LargeObject.objects.bulk_create([entry])


def test_a_catalogue_row_is_not_made_without_its_object(save):
    """As loaddata would, or over another application's object."""
    entry = LargeObject.objects.get(name=save())
    with pytest.raises(NotSupportedError, match="dumpdata --exclude lo_storage"):
        entry.save()
    (loaded,) = deserialize("json", serialize("json", [entry]))
    with pytest.raises(NotSupportedError, match="fixtures cannot hold files"):
        loaded.save()
