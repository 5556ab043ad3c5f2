from uuid import uuid4

import pytest

from lo_storage.uploads.apis import named_file
from lo_storage.uploads.models import Upload

IS_GONE = "An upload is no longer here. Choose its file again."


def test_a_complete_upload_of_the_user_is_a_file(user, staged, documents):
    upload = staged()
    file = named_file(user, str(upload.pk), set(), OSError)
    with file:
        assert (file.name, file.size, file.read()) == ("scan.pdf", 7, b"content")
    document = documents.objects.create(data=file)
    assert document.data.name == f"{upload.loid}.pdf"


def test_what_is_not_there_is_refused(user, stranger, staged):
    for id in [str(uuid4()), "x", str(staged(owner=stranger).pk)]:
        with pytest.raises(ValueError, match=IS_GONE):
            named_file(user, id, set(), OSError)


def test_it_is_named_once(user, staged):
    first, second, named = str(staged().pk), str(staged().pk), set()
    named_file(user, first, named, OSError)
    named_file(user, second, named, OSError)
    with pytest.raises(ValueError, match="is named twice"):
        named_file(user, f"urn:uuid:{first}", named, OSError)


def test_the_framework_says_that_another_request_took_it(user, staged, documents):
    file = named_file(user, str(staged().pk), set(), PermissionError)
    Upload.objects.all().delete()
    with pytest.raises(PermissionError, match="is gone"):
        documents.objects.create(data=file)
    assert not documents.objects.exists()
