"""Roles that may change rows and not their files: refused at COMMIT, and nothing is lost."""

import pytest
from django.core.files.base import ContentFile
from psycopg import errors

from lo_storage.tests.models import Document

from .conftest import ALIAS

DELETE = "delete from lo_storage_tests_document where title = 'march'"


@pytest.fixture
def superuser(server):
    Document.objects.using(ALIAS).create(title="march", data=ContentFile(b"march", "a.txt"))
    with server.connect("postgres") as session:
        yield session


@pytest.fixture
def clerk(server, superuser):
    superuser.execute(
        "create role clerk login;"
        "grant select, insert, update, delete on lo_storage_tests_document to clerk;"
    )
    with server.connect("clerk") as session:
        yield session
    superuser.execute("drop owned by clerk; drop role clerk")


@pytest.mark.parametrize(
    ("grant", "missing"),
    [
        ("", "permission denied for table lo_storage_largeobject"),
        ("grant all on lo_storage_largeobject to clerk", "must be owner of large object"),
    ],
)
def test_a_role_without_the_right_to_delete_the_file(server, superuser, clerk, grant, missing):
    superuser.execute(grant)
    with pytest.raises(errors.InsufficientPrivilege, match=missing):
        clerk.execute(DELETE)
    assert server.stored() == {"march": b"march"}


def test_a_row_that_the_role_may_not_see_keeps_its_file(server, superuser):
    """Row-level security hides it from the trigger, and not from the foreign key."""
    superuser.execute(
        "insert into lo_storage_tests_document (title, data)"
        "  select 'hidden', data from lo_storage_tests_document"
    )
    superuser.execute(
        "alter table lo_storage_tests_document enable row level security;"
        "alter table lo_storage_tests_document force row level security;"
        "create policy visible on lo_storage_tests_document using (title <> 'hidden')"
    )
    try:
        with server.connect() as session, pytest.raises(errors.ForeignKeyViolation):
            session.execute(DELETE)
        assert server.stored() == {"march": b"march", "hidden": b"march"}
    finally:
        superuser.execute(
            "drop policy visible on lo_storage_tests_document;"
            "alter table lo_storage_tests_document disable row level security;"
            "alter table lo_storage_tests_document no force row level security"
        )
