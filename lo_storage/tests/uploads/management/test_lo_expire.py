from django.core.management import call_command
from django.utils import timezone

from lo_storage.uploads.models import Upload


def test_what_is_past_its_date_is_deleted(staged, capsys, large_objects):
    kept, gone = staged(), staged()
    Upload.objects.filter(pk=gone.pk).update(expires_at=timezone.now())
    call_command("lo_expire")
    assert capsys.readouterr().err == "Uploads deleted: 1\n"
    assert list(Upload.objects.all()) == [kept]
    assert gone.loid not in large_objects()
    call_command("lo_expire", database="default")
    assert capsys.readouterr().err == "Uploads deleted: 0\n"
