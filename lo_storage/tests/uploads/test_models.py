import pytest
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.uploads.models import Upload


def test_a_deleted_user_has_no_uploads(staged, user, large_objects):
    staged()
    user.delete()
    assert not Upload.objects.exists()
    assert large_objects() == set(LargeObject.objects.values_list("loid", flat=True))


def test_truncate_deletes_the_objects(staged, large_objects):
    before = large_objects()
    staged()
    with connection.cursor() as cursor:
        cursor.execute("truncate lo_storage_uploads_upload")
    assert large_objects() == before


@pytest.mark.parametrize("statement", ["delete from", "truncate"])
def test_a_strangers_object_under_the_number_is_left_alone(staged, large_objects, statement):
    """As after a restore without large objects, whose numbers PostgreSQL gives to others."""
    upload = staged(b"content")
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s), lo_from_bytea(%s, 'stranger')", [upload.loid] * 2)
        cursor.execute(f"{statement} lo_storage_uploads_upload")
    assert upload.loid in large_objects()
    assert not Upload.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s)", [upload.loid])
