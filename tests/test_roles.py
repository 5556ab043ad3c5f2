"""Roles that may change rows and not their files: refused at COMMIT, and nothing is lost."""

import pytest
from django.core.files.base import ContentFile
from psycopg import errors

from lo_storage.tests.models import Document
from lo_storage.upkeep.adoption import adopt

from .conftest import ALIAS
from .pages import ROOT, blocks

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
        (
            "grant all on lo_storage_largeobject to clerk; grant all on large object {} to clerk",
            "must be owner of large object",
        ),
    ],
)
def test_a_role_without_the_right_to_delete_the_file(server, superuser, clerk, grant, missing):
    (loid,) = superuser.execute("select loid from lo_storage_largeobject").fetchone()
    superuser.execute(grant.format(loid))
    with pytest.raises(errors.InsufficientPrivilege, match=missing):
        clerk.execute(DELETE)
    assert server.stored() == {"march": b"march"}


def test_a_member_of_the_role_may_delete_the_file(server, superuser, clerk):
    superuser.execute("grant app to clerk")
    clerk.execute(DELETE)
    assert server.stored() == {}


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


def test_what_the_superuser_made_is_given_to_the_site_as_the_page_says(server):
    (give,) = [
        b.content for b in blocks(ROOT / "docs/from-pg-lo-storage.md") if b.kind == "postgresql"
    ]
    with server.connect("postgres") as session:
        rows = session.execute("select lo_from_bytea(0, 'x') || '.txt' from generate_series(1, 3)")
        names = [name for (name,) in rows]
        refusals = {adopt(ALIAS, name) for name in names}
        assert refusals == {"the large object is another role's, which alone may delete it"}
        with pytest.raises(errors.DependentObjectsStillExist):
            session.execute("reassign owned by postgres to app")
        session.execute(give)
        # Each in a transaction of its own: no lock table is full.
        changed = session.execute("select distinct xmin from pg_largeobject_metadata")
        assert changed.rowcount == 3
    for name in names:
        assert adopt(ALIAS, name) is None
        Document.objects.using(ALIAS).create(title=name, data=name)
    assert server.stored() == dict.fromkeys(names, b"x")
