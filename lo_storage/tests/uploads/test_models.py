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
