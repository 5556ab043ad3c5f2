"""A daemon that speaks as ClamAV's does (`man clamd`, INSTREAM), and knows one virus."""

import socket
import tempfile
import threading
from contextlib import contextmanager

# Two halves, so that no scanner finds it in this file: https://www.eicar.org/download-anti-malware-testfile/
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def verdict(stream):
    """Return what clamd answers, where it reads all of it."""
    if _exactly(stream, 10) != b"zINSTREAM\0":
        return b"UNKNOWN COMMAND\0"
    content = b""
    while size := int.from_bytes(_exactly(stream, 4)):
        content += _exactly(stream, size)
    return b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0"


def says(answer, after=0):
    """A verdict of a daemon that reads so many bytes, and then only speaks."""

    def verdict(stream):
        _exactly(stream, after)
        return answer

    return verdict


def _exactly(stream, size):
    data = stream.read(size)
    assert len(data) == size
    return data


@contextmanager
def daemon(verdict=verdict, *, tcp=False):
    """Yield the address of a daemon that answers each connection by `verdict`."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket has a short path
        if tcp:
            listener = socket.create_server(("127.0.0.1", 0))
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        else:
            listener = socket.socket(socket.AF_UNIX)
            address = f"{folder}/clamd.ctl"
            listener.bind(address)
            listener.listen()

        def answer():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as stream:
                    if said := verdict(stream):
                        connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield address
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()
