"""What ClamAV's daemon is asked, and its answers. (The real one: `tests/test_packages.py`.)"""

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile

from lo_storage.uploads import clamd

from .daemons import EICAR, daemon, says

MiB = 1024 * 1024


@pytest.fixture
def at(settings):
    """A function that names the daemon to ask."""

    def at(address):
        settings.LO_STORAGE_UPLOADS = {"CLAMD": address}

    return at


def file(content):
    return ContentFile(content, "scan.pdf")


@pytest.mark.parametrize("tcp", [False, True])
def test_a_virus_has_a_name_and_other_files_have_none(tcp, at):
    with daemon(tcp=tcp) as address:
        at(address)
        assert clamd.scan(file(EICAR)) == "Eicar-Test-Signature"
        for content in (b"", b"content", bytes(3 * MiB + 1)):
            assert clamd.scan(file(content)) is None


def test_what_is_in_the_middle_of_a_large_file_is_found(at):
    with daemon() as address:
        at(address)
        assert clamd.scan(file(bytes(MiB) + EICAR + bytes(MiB))) == "Eicar-Test-Signature"


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (b"INSTREAM size limit exceeded. ERROR\0", 100_000),
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0", 14 + 4 + 10 * MiB),
    ],
)
def test_what_is_beyond_its_limits_is_refused_and_told(answer, read, at):
    with daemon(says(answer, read)) as address:
        at(address)
        with pytest.raises(ValidationError, match="too large, or too much is packed into it"):
            clamd.scan(file(bytes(10 * MiB)))


@pytest.mark.parametrize("answer", [b"", b"stream: OK and more\0", b"stream: error ERROR\0"])
def test_an_answer_that_is_none_is_no_verdict(answer, at):
    with daemon(says(answer, 10)) as address:
        at(address)
        with pytest.raises(OSError, match="clamd answered"):
            clamd.scan(file(b"content"))


def test_a_daemon_that_says_nothing_is_not_waited_for_for_ever(at, monkeypatch):
    monkeypatch.setattr(clamd, "TIMEOUT", 0.1)

    def wait(stream):
        assert stream.read()  # until the client has gone
        return b""

    with daemon(wait) as address:
        at(address)
        with pytest.raises(TimeoutError):
            clamd.scan(file(b"content"))


@pytest.mark.parametrize("tcp", [False, True])
def test_without_a_daemon_there_is_no_verdict(tcp, at):
    with daemon(tcp=tcp) as address:
        at(address)
    with pytest.raises(OSError):  # noqa: PT011  # of whichever kind the system has
        clamd.scan(file(b"content"))
