import socket
from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest

MB = 1024**2


def request(body, **environ):
    from lo_storage.uploads import bodies  # which a project may have deleted

    environ |= {"REQUEST_METHOD": "PATCH", "wsgi.input": BytesIO(body), "CONTENT_LENGTH": len(body)}
    return bodies, WSGIRequest(environ)


@pytest.fixture
def connection():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


def test_pieces_end_at_whole_mib_of_the_file(db):
    bodies, patch = request(b"x" * 2 * MB)
    assert list(map(len, bodies.pieces(patch, 10, 2 * MB))) == [MB - 10, MB, 10]


def test_what_came_before_the_line_broke_is_a_piece(db):
    bodies, patch = request(b"abc")
    pieces = bodies.pieces(patch, 0, 5)
    assert next(pieces) == b"abc"
    with pytest.raises(bodies.BrokenOff):
        next(pieces)


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
