from contextlib import contextmanager
from types import SimpleNamespace

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.db import connection, connections

from lo_storage.storage import db_file_storage

from .databases import administrator
from .models import Attachment, Document, Letter


@pytest.fixture
def large_objects():
    """A function that returns the numbers of the large objects that the database holds."""

    def numbers() -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute("select oid::bigint from pg_largeobject_metadata")
            return {loid for (loid,) in cursor.fetchall()}

    return numbers


@pytest.fixture
def documents(transactional_db):
    """The model `Document`, with its table, outside of any transaction."""
    with connection.schema_editor() as editor:
        editor.create_model(Document)
        editor.create_model(Attachment)
    yield Document
    with connection.schema_editor() as editor:
        editor.delete_model(Attachment)
        editor.delete_model(Document)


@pytest.fixture
def letters(transactional_db, settings):
    """The model `Letter`, of an app that is installed, with its table."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "lo_storage.tests"]
    made = [Document, Attachment, Letter]
    with connection.schema_editor() as editor:
        for model in made:
            editor.create_model(model)
    yield Letter
    with connection.schema_editor() as editor:
        for model in reversed(made):
            editor.delete_model(model)


@pytest.fixture
def nothing_of_other_tests(transactional_db):
    """No large object is left of other tests, and none for them."""

    def clean(which):
        with connection.cursor() as cursor:
            cursor.execute(
                "select lo_unlink(oid) from pg_largeobject_metadata object"
                f" where pg_has_role(lomowner, 'usage') and {which}"
            )

    clean("not exists (select from lo_storage_largeobject where loid = object.oid)")
    yield
    clean("true")  # A size that a test has changed would let its object outlive the row.


@pytest.fixture
def save():
    """A function that stores bytes and returns the stored name."""

    def save(content: bytes = b"content", name: str = "notes.txt") -> str:
        return db_file_storage.save(name, ContentFile(content))

    return save


@pytest.fixture
def other_session(transactional_db):
    """A connection of its own, as another process has one, that knows nothing of Django."""
    parameters = connection.get_connection_params()
    parameters = {
        key: parameters[key]
        for key in ("dbname", "user", "password", "host", "port")
        if key in parameters
    }
    with psycopg.connect(**parameters, autocommit=True) as session:
        yield session


@pytest.fixture
def cursor(other_session):
    """A cursor as the modules without Django take one; what it does is rolled back."""
    with (
        other_session.transaction(force_rollback=True),
        other_session.cursor(binary=True) as cursor,
    ):
        yield cursor


@pytest.fixture
def another_alias(transactional_db):
    """A function that adds an alias of the test database, with more OPTIONS.

    The connection goes by the alias "default", because tests may connect to no other.
    """
    added = []

    def add(alias: str, **options) -> None:
        added.append(alias)
        connections[alias] = connection.copy()
        connections[alias].settings_dict["OPTIONS"] |= options
        connections.settings[alias] = connections[alias].settings_dict

    yield add
    for alias in added:
        connections[alias].close()
        connections[alias].close_pool()
        del connections[alias], connections.settings[alias]


@pytest.fixture
def round_trips():
    """A context manager that collects the statements that Django sees."""

    class Statements(list):
        def __call__(self, execute, sql, params, many, context):
            self.append(sql)
            return execute(sql, params, many, context)

        def __enter__(self):
            self.wrapper = connection.execute_wrapper(self)
            self.wrapper.__enter__()
            return self

        def __exit__(self, *exc_info):
            self.wrapper.__exit__(*exc_info)

    return Statements()


@pytest.fixture
def installed_documents(documents, monkeypatch):
    """`Document` is the only model that is installed."""
    from lo_storage.upkeep import columns  # which a project may have deleted

    monkeypatch.setattr(columns, "apps", SimpleNamespace(get_models=lambda: [Document]))


class RowsElsewhere:
    """A router that has rows in another database than their files."""

    def db_for_write(self, model, **hints):
        return "rows"


@pytest.fixture
def rows_elsewhere(installed_documents, settings):
    settings.DATABASE_ROUTERS = [RowsElsewhere()]


@pytest.fixture(scope="module")
def guest(django_db_setup, django_db_blocker):
    """A role that our own may become."""
    name = f"{connection.settings_dict['NAME']}_guest"
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute("select current_user")
        (user,) = cursor.fetchone()

    @contextmanager
    def alone():
        """Parameters are of all databases, and of no other process that tests at the same time."""
        with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute("select pg_advisory_lock(1)")  # in the database that all of them see
            yield

    with administrator(connection.settings_dict["NAME"]) as session:
        session.execute(f"create role {name}")
        session.execute(f'grant {name} to "{user}"')
        with alone():
            session.execute(f"grant set on parameter lo_compat_privileges to {name}")
        yield name
        with alone():
            session.execute(f"drop owned by {name}")
        session.execute(f"drop role {name}")


@pytest.fixture
def somebody_else(guest):
    """A function that gives a file to a role that ours is no member of."""
    database = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("select quote_ident(current_user)")
        (ours,) = cursor.fetchone()
    given = []
    with administrator(database) as session:

        def give(name):
            given.append(name.partition(".")[0])
            session.execute(f"revoke {guest} from {ours}")
            session.execute(f"alter large object {given[-1]} owner to {guest}")

        yield give
        for loid in given:
            session.execute(f"alter large object {loid} owner to {ours}")
        session.execute(f"grant {guest} to {ours}")
