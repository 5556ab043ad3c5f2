"""No row without its file, no file without its row: what the database enforces by itself."""

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField
from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage

from .models import Attachment, Document


@pytest.fixture
def document(documents):
    return documents.objects.create(title="march", data=ContentFile(b"march", "march.txt"))


def sql(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def names():
    return set(LargeObject.objects.values_list("name", flat=True))


def test_insert_names_a_file(document, large_objects):
    assert names() == {document.data.name}
    assert len(large_objects()) == 1


def test_no_file_is_null(documents):
    empty = documents.objects.create(title="empty")
    assert documents.objects.filter(data=None).get() == empty
    empty.data = ""
    empty.save()
    assert documents.objects.filter(data=None).get() == empty


@pytest.mark.parametrize(
    "let_go",
    [
        lambda document: document.delete(),
        lambda document: Document.objects.filter(pk=document.pk).delete(),
        lambda document: Document.objects.filter(pk=document.pk).update(data=None),
        lambda document: Document.objects.bulk_update([clear(document)], ["data"]),
        lambda document: clear(document).save(),
        lambda document: clear(document).save(update_fields=["data"]),
        lambda document: sql("delete from lo_storage_tests_document"),
        lambda document: sql("update lo_storage_tests_document set data = null"),
    ],
)
def test_a_file_that_no_row_names_any_more_is_deleted(document, large_objects, let_go):
    let_go(document)
    assert (names(), large_objects()) == (set(), set())


def clear(document):
    document.data = None
    return document


def test_a_file_that_is_replaced_is_deleted(document, large_objects):
    document.data = ContentFile(b"april", "april.txt")
    document.save()
    assert names() == {document.data.name}
    assert len(large_objects()) == 1
    with Document.objects.get().data as file:
        assert file.read() == b"april"


def test_a_roll_back_keeps_the_old_file(document, large_objects):
    before = large_objects()
    for change in ("replace", "delete", "update"):
        with transaction.atomic():
            row = Document.objects.get()
            match change:
                case "replace":
                    row.data = ContentFile(b"april", "april.txt")
                    row.save()
                case "delete":
                    row.delete()
                case "update":
                    Document.objects.update(data=None)
            transaction.set_rollback(True)
        assert large_objects() == before
        with Document.objects.get().data as file:
            assert file.read() == b"march"


def test_a_savepoint_rolled_back_keeps_the_old_file(document, large_objects):
    before = large_objects()
    with transaction.atomic():
        with transaction.atomic():
            Document.objects.update(data=None)
            transaction.set_rollback(True)
        Document.objects.update(title="still here")
    assert large_objects() == before


def test_what_came_and_went_in_one_transaction_leaves_nothing(documents, large_objects):
    with transaction.atomic():
        document = documents.objects.create(data=ContentFile(b"1", "1.txt"))
        document.data = ContentFile(b"2", "2.txt")
        document.save()
        document.delete()
    assert large_objects() == set()


def test_cleared_and_set_back_keeps_the_file(document):
    name = document.data.name
    with transaction.atomic():
        Document.objects.update(data=None)
        Document.objects.update(data=name)
    assert names() == {name}


def test_two_rows_swap_their_files_in_one_statement(document, documents):
    other = documents.objects.create(data=ContentFile(b"april", "april.txt"))
    before = names()
    sql(
        "update lo_storage_tests_document a set data = b.data"
        " from lo_storage_tests_document b where b.id <> a.id"
    )
    assert names() == before
    with documents.objects.get(pk=other.pk).data as file:
        assert file.read() == b"march"


def test_a_file_moves_to_another_column(document):
    Document.objects.update(scan=models.F("data"), data=None)
    assert names() == {Document.objects.get().scan.name}


def test_a_file_that_a_copied_row_names_is_kept_until_the_last_one_goes(document, large_objects):
    copy = Document.objects.create(data=document.data.name)
    document.delete()
    assert names() == {copy.data.name}
    copy.delete()
    assert large_objects() == set()


def test_deleting_the_file_as_well_as_its_row_is_right(document, large_objects):
    with transaction.atomic():
        document.data.delete(save=False)
        document.delete()
    assert large_objects() == set()


def test_deleting_a_file_that_a_row_names_is_refused_at_commit(document, large_objects):
    before = large_objects()
    with pytest.raises(IntegrityError, match="lo_storage_tests_document_data"):
        db_file_storage.delete(document.data.name)
    assert large_objects() == before
    with pytest.raises(IntegrityError):
        LargeObject.objects.all().delete()
    with Document.objects.get().data as file:
        assert file.read() == b"march"


@pytest.mark.parametrize("name", ["4294967295.txt", "", "march.txt"])
def test_naming_a_file_that_does_not_exist_is_refused_at_commit(documents, name):
    with pytest.raises(IntegrityError):
        sql("insert into lo_storage_tests_document (title, data) values ('', %s)", name)
    assert not documents.objects.exists()


def test_another_extension_of_the_same_object_is_refused(document):
    wrong = document.data.name.replace(".txt", ".html")
    with pytest.raises(IntegrityError):
        Document.objects.update(data=wrong)
    with Document.objects.get().data as file:
        assert file.read() == b"march"


def test_a_file_that_another_table_names_is_kept_until_that_lets_go_of_it(document, large_objects):
    attachment = Attachment.objects.create(data=document.data.name)
    before = large_objects()
    document.delete()
    assert (Document.objects.count(), large_objects()) == (0, before)
    with attachment.data as file:
        assert file.read() == b"march"
    attachment.delete()
    assert large_objects() == set()


def test_a_history_keeps_what_was_replaced_and_gives_it_back(document, large_objects):
    first = document.data.name
    Attachment.objects.create(data=first)  # as a table of versions has it
    document.data = ContentFile(b"april", "april.txt")
    document.save()
    assert len(large_objects()) == 2
    Document.objects.update(data=first)
    assert (names(), len(large_objects())) == ({first}, 1)
    Attachment.objects.all().delete()
    assert names() == {first}
    Document.objects.all().delete()
    assert large_objects() == set()


def test_a_file_moves_from_one_table_to_another(document, large_objects):
    before = large_objects()
    with transaction.atomic():
        attachment = Attachment.objects.create(data=document.data.name)
        document.delete()
    assert large_objects() == before
    with transaction.atomic():
        moved = Document(data=attachment.data.name)
        attachment.delete()
        moved.save()
    assert large_objects() == before
    with Document.objects.get().data as file:
        assert file.read() == b"march"


@pytest.mark.parametrize("rule", ["no action", "restrict", "cascade", "set null"])
def test_a_foreign_key_of_a_project_s_own_to_the_number(document, large_objects, rule):
    """What it does to whoever lets go of the file, as PostgreSQL has it."""
    sql(
        f"create table papers (id int, loid oid references lo_storage_largeobject on delete {rule})"
    )
    try:
        sql("insert into papers select 1, loid from lo_storage_largeobject")
        if rule in ("no action", "restrict"):
            with pytest.raises(IntegrityError, match="papers_loid_fkey"):
                document.delete()
            assert (len(large_objects()), Document.objects.count()) == (1, 1)
        else:
            document.delete()
            assert large_objects() == set()
        with connection.cursor() as cursor:
            cursor.execute("select id, loid is null from papers")
            left = {"cascade": [], "set null": [(1, True)]}.get(rule, [(1, False)])
            assert cursor.fetchall() == left
    finally:
        sql("drop table papers")


@pytest.fixture
def papers(transactional_db):
    """A function that makes a table of a file column beside a foreign key to its catalogue row."""
    made = []

    @isolate_apps("lo_storage.tests")
    def papers(on_delete):
        class Paper(models.Model):
            data = DbFileField(null=True)
            entry = models.ForeignKey(
                LargeObject, on_delete, null=True, default=None, related_name="+"
            )

            class Meta:
                app_label = "lo_storage_tests"
                constraints = [LargeObjectReference(field="data", name="lo_storage_tests_paper")]

            def __str__(self):
                return self.data.name

        with connection.schema_editor() as editor:
            editor.create_model(Paper)
        made.append(Paper)
        return Paper

    yield papers
    for model in made:
        with connection.schema_editor() as editor:
            editor.delete_model(model)


BY_DJANGO = ["CASCADE", "SET_NULL", "SET_DEFAULT", "PROTECT", "RESTRICT", "DO_NOTHING"]
BY_POSTGRESQL = [rule for rule in ("DB_CASCADE", "DB_SET_NULL") if hasattr(models, rule)]


def new_paper(papers, rule):
    paper = papers(getattr(models, rule)).objects.create(data=ContentFile(b"march", "march.txt"))
    paper.entry = LargeObject.objects.get()
    paper.save()
    return paper


@pytest.mark.parametrize("rule", BY_DJANGO + BY_POSTGRESQL)
def test_a_row_with_a_key_of_its_own_to_the_number_lets_go_of_both(papers, large_objects, rule):
    paper = new_paper(papers, rule)
    before = large_objects()
    with transaction.atomic():
        paper.data = ContentFile(b"april", "april.txt")
        paper.entry = None
        paper.save()
        paper.entry = LargeObject.objects.get(name=paper.data.name)
        paper.save()
    assert names() == {paper.data.name}
    assert len(large_objects()) == 1
    assert not large_objects() & before
    paper.delete()
    assert (names(), large_objects()) == (set(), set())


@pytest.mark.parametrize("rule", BY_DJANGO)
def test_on_delete_is_django_s_and_a_file_that_a_key_holds_is_not_let_go(
    papers, large_objects, rule
):
    """The database has no ON DELETE of it, and it is the database that deletes the file."""
    paper = new_paper(papers, rule)
    before = names(), large_objects()
    paper.data = ContentFile(b"april", "april.txt")
    for let_go in (
        paper.save,
        lambda: type(paper).objects.update(data=None),
        lambda: type(paper).objects.bulk_update([clear(paper)], ["data"]),
    ):
        with pytest.raises(IntegrityError, match="entry_id"):
            let_go()
        assert (names(), large_objects()) == before
    other = type(paper).objects.create(entry=paper.entry)
    with pytest.raises(IntegrityError, match="entry_id"):
        paper.delete()
    assert (names(), large_objects()) == before
    with transaction.atomic():
        type(paper).objects.filter(pk=other.pk).update(entry=None)
        type(paper).objects.exclude(pk=other.pk).delete()
    assert (names(), large_objects()) == (set(), set())


@pytest.mark.parametrize("rule", BY_POSTGRESQL)
def test_on_delete_by_the_database_does_what_it_says(papers, large_objects, rule):
    paper = new_paper(papers, rule)
    other = type(paper).objects.create(entry=paper.entry)
    paper.data = ContentFile(b"april", "april.txt")
    paper.save(update_fields=["data"])
    kept = {"DB_CASCADE": [], "DB_SET_NULL": [(paper.pk, None), (other.pk, None)]}[rule]
    assert list(type(paper).objects.order_by("pk").values_list("pk", "entry")) == kept
    assert len(large_objects()) == len(names()) == (1 if kept else 0)


@isolate_apps("lo_storage.tests")
def test_a_table_in_another_schema(transactional_db, large_objects):
    class Elsewhere(models.Model):
        """A table in a schema that is not on the search path, as some write it for Django."""

        data = DbFileField(null=True)

        class Meta:
            app_label = "lo_storage_tests"
            db_table = '"files"."B one\'s"'
            constraints = [LargeObjectReference(field="data", name="o'ne B")]

        def __str__(self):
            return self.data.name

    sql("create schema files")
    try:
        with connection.schema_editor() as editor:
            editor.create_model(Elsewhere)
        (constraint,) = Elsewhere._meta.constraints
        row = Elsewhere.objects.create(data=ContentFile(b"march", "march.txt"))
        row.data = ContentFile(b"april", "april.txt")
        row.save()
        assert len(large_objects()) == 1
        with connection.schema_editor() as editor:
            editor.remove_constraint(Elsewhere, constraint)
        with connection.schema_editor() as editor:
            editor.add_constraint(Elsewhere, constraint)
        row.delete()
        assert large_objects() == set()
        with connection.schema_editor() as editor:
            editor.remove_constraint(Elsewhere, constraint)
    finally:
        sql("drop schema files cascade")


@pytest.mark.parametrize("type", ["text", "varchar(300)", "char(50)"])
def test_its_type_may_change_under_a_session_that_has_used_the_trigger(
    document, large_objects, other_session, type
):
    for session in (sql, other_session.execute):
        session("update lo_storage_tests_document set title = 'x'")
    try:
        sql(f"alter table lo_storage_tests_document alter column data type {type}")
        for session in (sql, other_session.execute):
            session("update lo_storage_tests_document set title = 'y'")
        assert len(large_objects()) == 1
        other_session.execute("delete from lo_storage_tests_document")
        assert large_objects() == set()
    finally:
        sql("alter table lo_storage_tests_document alter column data type varchar(100)")


@pytest.mark.parametrize("value", ["zero", "1e1000000"])
def test_what_else_is_in_the_row_does_not_matter(document, large_objects, value):
    """No other column of it is converted: not every json is a jsonb."""
    value = value.replace("zero", '"' + chr(92) + 'u0000"')
    sql("alter table lo_storage_tests_document add column other json")
    try:
        sql("update lo_storage_tests_document set other = %s", value)
        with pytest.raises(DatabaseError), transaction.atomic():
            sql("select to_jsonb(document) from lo_storage_tests_document as document")
        sql("delete from lo_storage_tests_document")
        assert large_objects() == set()
    finally:
        sql("alter table lo_storage_tests_document drop column other")


def test_a_row_that_row_security_hides_and_a_cascade_would_delete_keeps_its_file(
    document, large_objects, guest
):
    sql("create table own (f text references lo_storage_largeobject (name) on delete cascade)")
    try:
        sql("insert into own select data from lo_storage_tests_document")
        sql("alter table own enable row level security")
        sql(f"grant select on own to {guest}")
        sql(f"grant select, delete on lo_storage_tests_document to {guest}")
        sql(f"grant select, update, delete on lo_storage_largeobject to {guest}")
        with (  # noqa: PT012  # its end, too
            pytest.raises(DatabaseError, match="may not read all of"),
            transaction.atomic(),
        ):
            sql(f"set local role {guest}")
            sql("delete from lo_storage_tests_document")
        assert len(large_objects()) == 1
    finally:
        sql("drop table own")


def test_the_column_may_be_renamed_and_its_type_changed(document, large_objects):
    sql("alter table lo_storage_tests_document rename column data to paper")
    sql("alter table lo_storage_tests_document alter column paper type varchar(200)")
    try:
        sql("update lo_storage_tests_document set title = 'x'")
        assert len(large_objects()) == 1
        sql("delete from lo_storage_tests_document")
        assert large_objects() == set()
    finally:
        sql("alter table lo_storage_tests_document rename column paper to data")


def test_a_foreign_key_that_was_dropped_behind_the_trigger_fails_loudly(document, large_objects):
    sql("alter table lo_storage_tests_document drop constraint lo_storage_tests_document_data")
    with pytest.raises(
        DatabaseError, match="misses its foreign key lo_storage_tests_document_data"
    ):
        document.delete()
    assert len(large_objects()) == 1
    sql(
        "alter table lo_storage_tests_document add constraint lo_storage_tests_document_data"
        " foreign key (data) references lo_storage_largeobject (name)"
        " deferrable initially deferred"
    )


def test_it_is_added_to_and_removed_from_a_table_that_exists(document, large_objects):
    constraint = Document._meta.constraints[0]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Document, constraint)
    db_file_storage.delete(document.data.name)
    assert large_objects() == set()
    with (
        pytest.raises(IntegrityError, match="is not present in table"),
        connection.schema_editor() as editor,
    ):
        editor.add_constraint(Document, constraint)
    Document.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Document, constraint)


def test_the_column_has_an_index(documents):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "lo_storage_tests_document")
    indexed = [c["columns"] for c in constraints.values() if c["index"] and not c["unique"]]
    assert sorted(indexed) == [["data"], ["scan"]]


def test_full_clean_says_that_the_file_is_gone(document):
    document.full_clean()
    document.data.name = "4294967295.txt"
    with pytest.raises(ValidationError) as caught:
        document.full_clean()
    assert caught.value.message_dict == {
        "data": ["This file does not exist any more. Choose a file again."]
    }
    document.full_clean(exclude=["data"])
    document.data = ContentFile(b"april", "april.txt")
    document.full_clean()


def test_a_migration_can_be_written():
    constraint = Document._meta.constraints[0]
    text, imports = MigrationWriter.serialize(constraint)
    assert text == (
        "lo_storage.constraints.LargeObjectReference("
        "field='data', name='lo_storage_tests_document_data')"
    )
    assert imports == {"import lo_storage.constraints"}
    assert constraint.clone() == constraint
    assert constraint != LargeObjectReference(field="data", name="other")


def test_a_name_that_postgresql_would_cut_off_is_refused():
    with pytest.raises(ValueError, match="at most 55 bytes; shorten"):
        LargeObjectReference(field="data", name="x" * 56)


def test_a_multi_table_child_leaves_it_to_its_parent(documents):
    class Contract(Document):
        class Meta:
            app_label = "lo_storage_tests"
            constraints = Document._meta.constraints

    with connection.schema_editor(collect_sql=True) as editor:
        editor.create_model(Contract)
    assert not any("lo_storage_largeobject" in statement for statement in editor.collected_sql)


@pytest.mark.django_db
def test_a_column_renamed_in_the_migration_that_creates_it():
    with connection.schema_editor(collect_sql=True) as editor:
        Document._meta.constraints[0].constraint_sql(Document, editor)
        (statement,) = editor.deferred_sql
        statement.rename_column_references("lo_storage_tests_document", "data", "paper")
        assert 'FOREIGN KEY ("paper")' in str(statement)


@pytest.fixture
def partitioned(transactional_db):
    sql(
        "create table lo_storage_tests_document"
        " (id bigint generated by default as identity, title varchar(50), data varchar(100),"
        "  scan varchar(100)) partition by list (title);"
        "create table partition_a partition of lo_storage_tests_document for values in ('a');"
        "create table partition_b partition of lo_storage_tests_document for values in ('b')"
    )
    with connection.schema_editor() as editor:
        editor.add_constraint(Document, Document._meta.constraints[0])
    yield Document
    sql("drop table lo_storage_tests_document")


def test_a_row_takes_its_file_to_another_partition(partitioned, large_objects):
    Document.objects.create(title="a", data=ContentFile(b"march", "march.txt"))
    Document.objects.update(title="b")
    with Document.objects.get().data as file:
        assert file.read() == b"march"
    Document.objects.all().delete()
    assert large_objects() == set()


@pytest.mark.parametrize("content", [b"april", None])
def test_a_row_lets_go_of_its_file_on_the_way_to_another_partition(
    partitioned, large_objects, content
):
    Document.objects.create(title="a", data=ContentFile(b"march", "march.txt"))
    with transaction.atomic():
        name = content and db_file_storage.save("april.txt", ContentFile(content))
        Document.objects.update(title="b", data=name)
    assert names() == ({name} if name else set())
    assert len(large_objects()) == len(names())


def test_a_partition_brings_its_rows_along(partitioned, large_objects):
    Document.objects.create(title="a", data=ContentFile(b"march", "march.txt"))
    sql(
        "create table partition_c (like lo_storage_tests_document);"
        "insert into partition_c (id, title, data)"
        "  select 9, 'c', data from lo_storage_tests_document;"
        "alter table lo_storage_tests_document attach partition partition_c for values in ('c')"
    )
    Document.objects.filter(title="a").delete()
    with Document.objects.get().data as file:
        assert file.read() == b"march"
    Document.objects.all().delete()
    assert large_objects() == set()
