"""What a transaction does to rows and files: by models, by the storage, by SQL."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.core.files.base import ContentFile
from django.db import connection, transaction

from lo_storage.storage import db_file_storage
from lo_storage.tests.models import Attachment, Document

from .models import FILE_NAME, Letter

documents, attachments = Document._default_manager, Attachment._default_manager
letters = Letter._default_manager
OWN, SHARED, TWICE, TWICE_TOO = 1, 2, 3, 4  # rows of Document

type Does = Callable[[str], str | None]


class Operation(NamedTuple):
    # Is told the session; returns the name of the file whose content it edits, or None.
    does: Does
    # What it does to that content.
    edits: Callable[[bytes, str], bytes] | None = None
    # A row or the storage may name a file that another session lets go of, or keeps.
    may_be_refused: bool = False
    is_always_refused: bool = False


class RolledBack(Exception):
    """How an operation ends that is rolled back."""


OPERATIONS: dict[str, Operation] = {}


def operation(**traits: Any) -> Callable[[Does], Does]:
    """Register a function."""

    def register(does: Does) -> Does:
        OPERATIONS[does.__name__.replace("_", "-")] = Operation(does, **traits)
        return does

    return register


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def new_file(who: str) -> "ContentFile[bytes]":
    return ContentFile(f"content of {who}".encode(), f"new-{who}.txt")


def row(pk: int) -> Document | None:
    return documents.filter(pk=pk).first()


def name_of(pk: int) -> str | None:
    return documents.filter(pk=pk).values_list("data", flat=True).first()


@operation()
def insert(who: str) -> None:
    documents.create(title=who, data=new_file(who), scan=new_file(who))


@operation()
def insert_and_delete(who: str) -> None:
    documents.create(title=who, data=new_file(who)).delete()


@operation()
def delete_own(who: str) -> None:
    documents.filter(pk=OWN).delete()


@operation()
def delete_shared(who: str) -> None:
    documents.filter(pk=SHARED).delete()


@operation()
def delete_attachment(who: str) -> None:
    attachments.filter(pk=1).delete()


@operation()
def delete_twice(who: str) -> None:
    documents.filter(pk=TWICE).delete()


@operation()
def delete_twice_too(who: str) -> None:
    sql("delete from lo_storage_tests_document where id = 4")


@operation()
def delete_everything(who: str) -> None:
    sql("delete from lo_storage_tests_document; delete from lo_storage_tests_attachment")


@operation()
def replace_own(who: str) -> None:
    if document := row(OWN):
        document.data = new_file(who)
        document.save(force_update=True)


@operation()
def set_null(who: str) -> None:
    documents.filter(pk=SHARED).update(data=None)


@operation()
def set_null_by_sql(who: str) -> None:
    sql("update lo_storage_tests_attachment set data = null")


@operation(may_be_refused=True)
def clear_and_set_back(who: str) -> None:
    name = name_of(OWN)
    documents.filter(pk=OWN).update(data=None)
    documents.filter(pk=OWN).update(data=name)


@operation(may_be_refused=True)
def swap(who: str) -> None:
    sql(
        "update lo_storage_tests_document this set data = that.data"
        "  from lo_storage_tests_document that where this.id in (1, 2) and that.id = 3 - this.id"
    )


@operation(may_be_refused=True)
def copy_the_row(who: str) -> None:
    if document := row(TWICE):
        document.pk, document.title = None, who
        document.save(force_insert=True)


@operation(may_be_refused=True)
def copy_the_name(who: str) -> None:
    if name := name_of(OWN):
        attachments.create(data=name)


@operation(may_be_refused=True)
def move(who: str) -> None:
    if name := name_of(OWN):
        attachments.create(data=name)
        documents.filter(pk=OWN).delete()


@operation(may_be_refused=True)
def name_another(who: str) -> None:
    if document := row(OWN):
        document.data = name_of(SHARED)
        document.save(force_update=True)


@operation(is_always_refused=True)
def name_what_is_missing(who: str) -> None:
    documents.create(data="7.txt")


@operation()
def roll_back(who: str) -> None:
    insert(who)
    delete_everything(who)
    raise RolledBack


@operation(edits=lambda content, who: content + b"after" + who.encode())
def roll_back_to_a_savepoint(who: str) -> str | None:
    name = write(OWN, "ab", b"after" + who.encode())
    try:
        with transaction.atomic():
            overwrite(who)
            delete_everything(who)
            raise RolledBack
    except RolledBack:
        return name


def write(pk: int, mode: str, data: bytes, position: int | None = None) -> str | None:
    if name := name_of(pk):
        with db_file_storage.open(name, mode) as file:
            if position is not None:
                file.seek(position)
            file.write(data)
    return name


@operation(edits=lambda content, who: content[:2] + b"<" + who.encode() + b">" + content[5:])
def overwrite(who: str) -> str | None:
    return write(OWN, "r+b", f"<{who}>".encode(), 2)


@operation(edits=lambda content, who: content + b"end" + who.encode())
def append(who: str) -> str | None:
    return write(OWN, "ab", f"end{who}".encode())


@operation(edits=lambda content, who: b"anew " + who.encode())
def truncate(who: str) -> str | None:
    return write(OWN, "wb", f"anew {who}".encode())


@operation(may_be_refused=True)
def storage_delete(who: str) -> None:
    if name := name_of(TWICE):
        db_file_storage.delete(name)


@operation(may_be_refused=True)
def storage_delete_and_set_null(who: str) -> None:
    if name := name_of(SHARED):
        documents.filter(data=name).update(data=None)
        attachments.filter(data=name).update(data=None)
        db_file_storage.delete(name)


@operation()
def insert_letter(who: str) -> None:
    letters.create(data=ContentFile(who.encode(), FILE_NAME))


@operation()
def replace_letter(who: str) -> None:
    if letter := letters.filter(pk=1).first():
        letter.data = ContentFile(who.encode(), FILE_NAME)
        letter.save(force_update=True)


@operation()
def delete_letter(who: str) -> None:
    if letter := letters.filter(pk=1).first():
        letter.delete()
