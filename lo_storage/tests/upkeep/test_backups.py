from os import SEEK_END

import pytest
from django.db import connection

from lo_storage.upkeep.backups import BackupError, Server


@pytest.fixture
def conninfo(transactional_db):
    parameters = connection.get_connection_params()
    given = ((key, parameters.get(key)) for key in ("host", "port", "user", "password", "dbname"))
    return " ".join(f"{key}='{value}'" for key, value in given if value)


def test_from_a_server(conninfo, save):
    names = [save(content) for content in (b"march", b"", b"x" * 9_000_000)]
    loids = [int(name.partition(".")[0]) for name in names]
    found = [
        (
            saved.entry.name,
            saved.entry.sha256 == saved.sha256,
            saved.size,
            saved.content.seek(0, SEEK_END),
        )
        for saved in Server(conninfo).read([*loids, 4_000_000_000])
    ]
    sizes = [5, 0, 9_000_000]
    assert found == [(name, True, size, size) for name, size in zip(names, sizes, strict=True)]


def test_a_role_that_may_not_read_is_told_so(conninfo, save, somebody_else):
    name = save()
    somebody_else(name)
    with pytest.raises(BackupError, match=r"permission denied .*: connect as the role that owns"):
        list(Server(conninfo).read([int(name.partition(".")[0])]))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("dbname=postgres", 'relation "lo_storage_largeobject" does not exist: is it the right'),
        ("dbname=no_such_database", 'database "no_such_database" does not exist'),
        ("nonsense=1", 'invalid connection option "nonsense"'),
    ],
)
def test_a_server_that_is_not_the_right_one(conninfo, more, says):
    with pytest.raises(BackupError, match=says):
        list(Server(f"{conninfo} {more}").read([1]))
