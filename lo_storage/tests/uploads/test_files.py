from lo_storage.storage import db_file_storage
from lo_storage.uploads.files import StagedFile
from lo_storage.uploads.models import Upload


def test_it_is_read_as_any_file_is(staged):
    file = StagedFile("default", staged(b"one\ntwo\n", "a.txt"))
    assert (file.name, file.size, file.content_type) == ("a.txt", 8, "text/plain")
    assert list(file) == [b"one\n", b"two\n"]
    assert file.open().read(3) == b"one"
    file.close()
    assert file.open().read() == b"one\ntwo\n"
    file.close()


def test_another_database_copies_it(staged, another_alias, documents):
    another_alias("elsewhere")
    file = StagedFile("elsewhere", staged())
    with db_file_storage.open(db_file_storage.save(file.name, file)) as copy:
        assert copy.read() == b"content"
    assert Upload.objects.count() == 1
