from hashlib import sha256
from io import BytesIO

import pytest
from django.db import connection

from lo_storage.catalogue import Entry
from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage
from lo_storage.upkeep.backups import Saved
from lo_storage.upkeep.mending import mend_references
from lo_storage.upkeep.missing import missing
from lo_storage.upkeep.references import problems
from lo_storage.upkeep.restoring import Restored, restore, write_out

from ..databases import administrator, sql
from ..models import Document

TABLE = "lo_storage_tests_document"
CONTENT = bytes(range(256)) * 100  # 12 pages and a half

pytestmark = pytest.mark.usefixtures("nothing_of_other_tests", "installed_documents")


def loid(name):
    return int(name.partition(".")[0])


def backup(name, content=CONTENT):
    """What a backup of now would have of a file."""
    row = LargeObject.objects.filter(name=name).values_list().first()
    return saved(loid(name), content, row and Entry(*row))


def saved(number, content, entry=None):
    return Saved(number, entry, BytesIO(content), len(content), sha256(content).hexdigest())


def content(name):
    with db_file_storage.open(name) as file:
        return file.read()


def catalogued(name):
    return LargeObject.objects.filter(name=name).values().first()


@pytest.fixture
def file(save):
    """The name of a file, which a row names."""
    return Document.objects.create(data=save(CONTENT, "notes.txt")).data.name


@pytest.fixture
def lose():
    """A function that takes a file out of the catalogue, and its object; the row still names it."""

    def lose(name):
        sql(
            f"alter table {TABLE} drop constraint {TABLE}_data",
            f"drop trigger {TABLE}_data_release on {TABLE}",
            f"drop index {TABLE}_data_idx",
            f"delete from lo_storage_largeobject where name = '{name}'",
        )

    yield lose
    Document.objects.filter(data__isnull=False).exclude(
        data__in=LargeObject.objects.values("name")
    ).delete()
    list(mend_references("default", apply=True))
    assert problems("default", Document, Document._meta.constraints[0]) == []


DAMAGES = {
    "gone": "select lo_unlink({loid})",
    "short": "select lo_truncate(lo_open({loid}, 131072), 2048 * 3)",
    "empty": "select lo_truncate(lo_open({loid}, 131072), 0)",
    "a page of zeros": "select lo_put({loid}, 2048 * 3, decode(repeat('00', 2048), 'hex'))",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_missing_or_damaged_comes_back(file, damage):
    there, before = backup(file), catalogued(file)
    sql(DAMAGES[damage].format(loid=loid(file)))
    assert list(missing("default", content=True)).count(file) >= 1
    for apply in (False, True):
        assert restore("default", file, there, apply=apply) == Restored(
            file, "comes back, 25,600 bytes", "restored"
        )
        assert list(missing("default", content=True)) == [] or not apply
    assert (content(file), catalogued(file)) == (CONTENT, before)
    assert restore("default", file, there, apply=True).outcome == "well"


def test_what_is_well_is_left_alone(file):
    """Also where the backup is an older one, and whatever is forced."""
    older = backup(file, b"older")
    before = catalogued(file)
    for force in (False, True):
        (_, what, outcome) = restore("default", file, older, apply=True, force=force)
        assert (what, outcome) == ("is there as it was stored: nothing is to be done", "well")
    assert (content(file), catalogued(file)) == (CONTENT, before)


def test_a_row_that_lost_its_file_gets_it_back(file, lose):
    there, before = backup(file), catalogued(file)
    lose(file)
    assert list(missing("default")) == [file]
    assert restore("default", str(loid(file)), there, apply=False).name == file
    assert catalogued(file) is None
    assert restore("default", file, there, apply=True).outcome == "restored"
    assert (content(file), catalogued(file)) == (CONTENT, before)
    assert list(missing("default", content=True)) == []


def test_an_object_that_lost_its_row_of_the_catalogue_is_left_as_it_is(file, lose):
    there, before = backup(file), catalogued(file)
    lose(file)
    sql(f"select lo_from_bytea({loid(file)}, decode('{CONTENT.hex()}', 'hex'))")
    assert restore("default", file, there, apply=True).outcome == "restored"
    assert (content(file), catalogued(file)) == (CONTENT, before)


@pytest.mark.parametrize(
    ("is_catalogued", "theirs"),
    [
        *((True, theirs) for theirs in [b"", b"theirs", b"longer" * 10_000]),
        *((False, theirs) for theirs in [b"", b"theirs", CONTENT, b"longer" * 10_000]),
    ],
)
def test_an_object_of_another_application_is_never_overwritten(file, lose, is_catalogued, theirs):
    """The file gets another number, and rows name that."""
    there, before = backup(file), catalogued(file)
    number = loid(file)
    sql(f"select lo_unlink({number})")
    if not is_catalogued:
        lose(file)
    sql(
        f"select lo_from_bytea({number}, decode('{theirs.hex()}', 'hex'))",
        "create table elsewhere (data oid)",
        f"insert into elsewhere values ({number})",
    )
    try:
        assert restore("default", file, there, apply=False).what == (
            "comes back, 25,600 bytes, under another number, and rows name it so, because large"
            f" object {number} may be another application's"
        )
        assert restore("default", file, there, apply=True).outcome == "restored"
        assert list(missing("default", content=True)) == []
    finally:
        sql("drop table elsewhere")
    new = Document.objects.get().data.name
    assert new.endswith(".txt")
    assert (new != file, catalogued(file)) == (True, None)
    assert content(new) == CONTENT
    assert catalogued(new) == {**before, "name": new, "loid": loid(new)}
    with connection.cursor() as cursor:
        cursor.execute(f"select lo_get({number}), lo_unlink({number})")
        assert bytes(cursor.fetchone()[0]) == theirs


def test_an_object_of_the_same_role_that_holds_something_else_is_not_overwritten(file):
    there, number = backup(file), loid(file)
    sql(f"select lo_put({number}, 100, 'somebody wrote past the catalogue')")
    assert "under another number" in restore("default", file, there, apply=True).what
    assert content(Document.objects.get().data.name) == CONTENT
    sql(f"select lo_unlink({number})")


def test_an_object_of_another_role_is_not_overwritten(file, somebody_else):
    there = backup(file)
    somebody_else(file)
    assert "under another number" in restore("default", file, there, apply=True).what
    new = Document.objects.get().data.name
    assert (new != file, content(new)) == (True, CONTENT)


@pytest.mark.parametrize("type", ["oid", "oid[]", "theirs.pair"])
def test_an_object_whose_number_a_hidden_column_may_have_is_not_overwritten(file, type):
    """Also one that is empty, and could be what is left of the file."""
    there, number = backup(file), loid(file)
    sql(f"select lo_unlink({number})", f"select lo_create({number})")
    with administrator(connection.settings_dict["NAME"]) as session:
        try:
            session.execute("create schema theirs")
            session.execute("create type theirs.pair as (data oid, pages int)")
            session.execute(f"create table theirs.papers (data {type})")
            assert "under another number" in restore("default", file, there, apply=True).what
        finally:
            session.execute("drop schema theirs cascade")
    new = Document.objects.get().data.name
    assert (new != file, content(new)) == (True, CONTENT)


def test_who_does_not_see_all_that_names_files_gives_no_new_name(file):
    there = backup(file)
    sql(
        f"select lo_put({loid(file)}, 100, 'theirs')",
        *(f"alter table {TABLE} {word} row level security" for word in ("enable", "force")),
    )
    try:
        assert "does not see all" in restore("default", file, there, apply=True).what
    finally:
        sql(f"alter table {TABLE} no force row level security, disable row level security")
    assert catalogued(file)


def test_what_nobody_names_is_for_a_folder(file, tmp_path):
    there = backup(file)
    Document.objects.all().delete()
    (_, what, outcome) = restore("default", file, there, apply=True, force=True)
    assert outcome == "refused"
    assert "write it to a folder by --output" in what
    assert write_out(tmp_path, str(loid(file)), there) == (
        file,
        f"is in {tmp_path}/{file}, 25,600 bytes, which was called 'notes.txt'",
        "restored",
    )
    assert (tmp_path / file).read_bytes() == CONTENT
    assert write_out(tmp_path, file, there) == (
        file,
        f"{tmp_path}/{file} is there already",
        "refused",
    )
    assert not LargeObject.objects.exists()


@pytest.mark.parametrize("other", ["{}/evil", "../evil", "{}.pdf/../../evil", "7.pdf", "nothing"])
def test_a_name_in_the_backup_that_is_not_the_file_s_is_refused(file, lose, tmp_path, other):
    """A folder to write to is left by no name, and no other file gets the content."""
    there, number = backup(file), loid(file)
    there = there._replace(entry=there.entry._replace(name=other.format(tmp_path)))
    lose(file)
    folder = tmp_path / "out" / f"{number}.pdf"
    folder.mkdir(parents=True)
    for force in (False, True):
        for told in (
            write_out(folder.parent, str(number), there, force=force),
            restore("default", str(number), there, apply=True, force=force),
        ):
            assert told[1:] == (f"it is no name of large object {number}", "refused")
    assert list(tmp_path.rglob("*")) == [folder.parent, folder]


def test_another_content_is_refused_unless_it_is_forced(file, tmp_path):
    there = backup(file, b"older")
    sql(f"select lo_unlink({loid(file)})")
    (_, what, outcome) = restore("default", file, there, apply=True)
    assert (what, outcome) == (
        f"the backup has another content: its SHA-256 is {sha256(b'older').hexdigest()}, and was"
        f" {sha256(CONTENT).hexdigest()} when the file was stored; --force takes it all the same",
        "refused",
    )
    assert write_out(tmp_path, file, there).what == what
    assert restore("default", file, there, apply=True, force=True).outcome == "restored"
    entry = catalogued(file)
    assert (content(file), entry["size"], entry["version"]) == (b"older", 5, 2)
    assert list(missing("default", content=True)) == []
    assert write_out(tmp_path, file, there, force=True).outcome == "restored"


@pytest.mark.parametrize("version", [1, 2])
def test_where_the_catalogue_has_no_sha256_the_backup_s_counts_of_the_same_version(file, version):
    there = backup(file)
    sql(
        f"update lo_storage_largeobject set sha256 = null, version = {version}",
        f"select lo_unlink({loid(file)})",
    )
    (_, what, outcome) = restore("default", file, there, apply=True)
    if version == 2:
        assert what == ("nothing tells what its SHA-256 was: --force takes what the backup has")
        outcome = restore("default", file, there, apply=True, force=True).outcome
    assert (outcome, content(file)) == ("restored", CONTENT)


def test_a_backup_without_a_catalogue_is_taken_by_force(file, lose):
    there = saved(loid(file), CONTENT)
    lose(file)
    assert "nothing tells what" in restore("default", file, there, apply=True).what
    assert restore("default", file, there, apply=True, force=True).outcome == "restored"
    entry = catalogued(file)
    assert (content(file), entry["version"], entry["original_name"]) == (CONTENT, 1, "")
    assert entry["sha256"] == there.sha256


def test_a_name_that_the_catalogue_has_otherwise_is_refused(file):
    (_, what, outcome) = restore("default", f"{loid(file)}.pdf", backup(file), apply=True)
    assert (what, outcome) == (f"the catalogue has the object as {file}", "refused")


def test_what_the_database_refuses_is_told_and_leaves_nothing(file):
    there, before = backup(file), catalogued(file)
    sql(
        f"select lo_put({loid(file)}, 100, 'theirs')",
        "create function refuse() returns trigger language plpgsql as"
        " $$begin raise exception 'not on a Sunday'; end$$",
        f"create trigger refuse before update on {TABLE} for each row execute function refuse()",
    )
    try:
        (_, what, outcome) = restore("default", file, there, apply=True)
    finally:
        sql("drop function refuse() cascade")
    assert (what, outcome) == ("not on a Sunday", "refused")
    assert catalogued(file) == before


def test_a_large_file_is_compared_and_written_in_pieces(save):
    large = b"0123456789abcdef" * 200_000  # 3.2 MB
    name = Document.objects.create(data=save(large)).data.name
    there = backup(name, large)
    sql(f"select lo_put({loid(name)}, 2048 * 1000, decode(repeat('00', 2048), 'hex'))")
    assert restore("default", name, there, apply=True).outcome == "restored"
    assert content(name) == large
