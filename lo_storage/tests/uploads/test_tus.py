import hashlib
from base64 import b64encode

import pytest

from lo_storage.uploads import tus


def test_numbers():
    assert (tus.number("X", "0"), tus.number("X", "9" * 18)) == (0, 10**18 - 1)


@pytest.mark.parametrize("value", [None, "", " 1", "-1", "+1", "1_0", "1.0", "१", "9" * 19, "1\n"])
def test_no_numbers(value):
    with pytest.raises(tus.Malformed, match="X must be a whole number"):
        tus.number("X", value)


def test_metadata():
    assert tus.metadata("") == {}
    assert tus.metadata("filename TcOkcno=, type ,empty") == {
        "filename": "März",
        "type": "",
        "empty": "",
    }


@pytest.mark.parametrize(
    "value", ["a YQ==,a YQ==", "ä YQ==", "a YQ", "a Y Q==", "a _w==", "a /w==", "a YQBi"]
)
def test_no_metadata(value):
    with pytest.raises(tus.Malformed):
        tus.metadata(value)


def test_a_digest():
    digest = hashlib.sha256(b"abc")
    encoded = b64encode(digest.digest()).decode()
    assert tus.expected_sha256("") is None
    assert tus.expected_sha256("sha-512=:abc:") is None
    assert tus.expected_sha256(f"sha-512=:abc:, sha-256=:{encoded}:") == digest.hexdigest()


@pytest.mark.parametrize("value", ["sha-256=abc", "sha-256=:YQ==:", "sha-256=::"])
def test_no_digest(value):
    with pytest.raises(tus.Malformed):
        tus.expected_sha256(value)
