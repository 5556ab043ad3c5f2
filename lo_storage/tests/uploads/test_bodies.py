import socket
from io import BytesIO
from itertools import count

import pytest
from django.core.handlers.wsgi import WSGIRequest

MB = 1024**2


def request(body, **environ):
    from lo_storage.uploads import bodies  # which a project may have deleted

    patch = {"REQUEST_METHOD": "PATCH", "wsgi.input": BytesIO(body), "CONTENT_LENGTH": len(body)}
    return bodies, WSGIRequest(patch | environ)


@pytest.fixture
def connection():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


def test_pieces_end_at_whole_mib_of_the_file(db):
    bodies, patch = request(b"x" * 2 * MB)
    assert list(map(len, bodies.pieces(patch, 10, 2 * MB))) == [MB - 10, MB, 10]


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [
        (0.01, [MB // 16, MB, MB]),
        (0.5, [MB // 16, MB // 8, MB // 4]),
        (10, [MB // 16, MB // 16, MB // 16]),
    ],
)
def test_as_much_is_asked_for_at_once_as_comes_in_a_second(monkeypatch, seconds, asked):
    bodies, _ = request(b"")
    clock = count(0, seconds)
    monkeypatch.setattr(bodies, "monotonic", lambda: next(clock))
    sizes = []
    reader = bodies.Reader(lambda size: sizes.append(size) or bytes(size))
    for _ in asked:
        reader.read(2 * MB)
    assert sizes == asked


def test_what_came_before_the_line_broke_is_a_piece(db):
    bodies, patch = request(b"abc")
    pieces = bodies.pieces(patch, 0, 5)
    assert next(pieces) == b"abc"
    with pytest.raises(bodies.BrokenOff):
        next(pieces)


def test_of_a_slow_client_no_connection_is_kept(transactional_db, monkeypatch):
    from django.db import connection

    seen = []

    class Slow(BytesIO):
        def read(self, size=-1):
            seen.append(connection.connection is not None)
            return super().read(min(size, MB // 16))

    bodies, patch = request(b"x" * 2 * MB, **{"wsgi.input": Slow(b"x" * 2 * MB)})
    monkeypatch.setattr(bodies, "SLOW", -1)
    connection.ensure_connection()
    for piece in bodies.pieces(patch, 0, 2 * MB):
        assert len(piece) == MB
        connection.ensure_connection()  # as whoever stores it
    assert seen == 2 * [True, *15 * [False]]


def test_silence_ends_a_body_and_no_answer(connection):
    bodies, patch = request(b"", **{"gunicorn.socket": connection})
    with bodies.silence_ends(patch):
        assert connection.gettimeout() == bodies.SILENCE
    assert connection.gettimeout() is None


def test_what_broke_off_is_not_waited_for_again(connection, db):
    bodies, patch = request(b"", **{"gunicorn.socket": connection})
    with pytest.raises(bodies.BrokenOff):
        list(bodies.pieces(patch, 0, 5))
    assert connection.gettimeout() == bodies.SILENCE
