"""Who uploads: by a form, or in pieces that go on where they were cut."""

import http.client
import random
import socket
import ssl
import time
from contextlib import suppress
from urllib.parse import urlsplit

from ..stage import MiB

TOKEN = "a" * 32
PIECE = {"Content-Type": "application/offset+octet-stream"}
ANYTHING = (OSError, http.client.HTTPException)  # that happens to a line


class Uploader:
    """Somebody who is signed in, by a session, at an address; `source` is that of the machine."""

    def __init__(self, address: str, session: str, source: str = "127.0.0.1") -> None:
        self.parts, self.source = urlsplit(address), (source, 0)
        prefix = "__Host-" if self.parts.scheme == "https" else ""
        self.headers = {
            "Cookie": f"{prefix}sessionid={session}; {prefix}csrftoken={TOKEN}",
            "X-CSRFToken": TOKEN,
            "Referer": f"{address}/",
            "Tus-Resumable": "1.0.0",
        }
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        if self.parts.scheme == "http":
            return http.client.HTTPConnection(
                self.parts.netloc, timeout=120, source_address=self.source
            )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(
            self.parts.netloc, timeout=120, source_address=self.source, context=context
        )

    def ask(
        self, method: str, address: str, body: object = b"", **headers: object
    ) -> tuple[int, str, http.client.HTTPMessage]:
        more = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        try:
            self.connection.request(method, address, body, self.headers | more)  # type: ignore[arg-type]  # it reads any body that has read()
            response = self.connection.getresponse()
            return response.status, response.read().decode(), response.headers
        except ANYTHING:
            self.connection.close()
            raise

    def create(self, length: int) -> str:
        self.connection.close()  # One that was idle the server may be closing now.
        status, text, headers = self.ask("POST", "/uploads/", Upload_Length=length)
        assert status == 201, (status, text)
        return f"/uploads/{headers['Location']}"

    def patch(self, address: str, offset: int, piece: object) -> int:
        status, _, headers = self.ask("PATCH", address, piece, Upload_Offset=offset, **PIECE)
        if status not in (204, 409):
            raise http.client.HTTPException(f"status {status}")
        return int(headers["Upload-Offset"])

    def send(self, content: memoryview, step: int = 8 * MiB) -> tuple[str, float]:
        """Return the address of the upload, and how many seconds its last piece took."""
        address, offset, began = self.create(len(content)), 0, 0.0
        while offset < len(content):
            began = time.perf_counter()
            offset = self.patch(address, offset, content[offset : offset + step])
        return address, time.perf_counter() - began

    def send_whatever_happens(self, content: memoryview, choice: random.Random) -> str:
        """Go on until it has come whole, whatever is killed meanwhile."""
        address = ""
        while not address:
            with suppress(*ANYTHING, AssertionError):
                address = self.create(len(content))
        while True:
            try:
                status, _, headers = self.ask("HEAD", address)
                if status != 200:
                    raise http.client.HTTPException(f"status {status}")
                offset = int(headers["Upload-Offset"])
                while offset < len(content):
                    step = choice.randrange(MiB, 8 * MiB)
                    offset = self.patch(address, offset, content[offset : offset + step])
                return address
            except ANYTHING:
                time.sleep(0.1)  # A server that was killed has to come back.

    def save(self, address: str, title: str = "") -> tuple[float, float]:
        """Let a row take an upload: how many milliseconds that took, and how many the adoption."""
        body = f"title={title}&data-staged={address.strip('/').rpartition('/')[2]}"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.close()
        began = time.perf_counter()
        status, text, _ = self.ask("POST", "/staged/", body, **form)
        assert status == 200, (status, text)
        return (time.perf_counter() - began) * 1000, float(text)

    def send_form(self, address: str, content: memoryview) -> tuple[float, float]:
        """Return the seconds from the last byte to the answer, and those of all of it."""
        head = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nRent\r\n'
        head += b'--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n'
        foot = b"\r\n--x--\r\n"
        began = time.perf_counter()
        connection = self.connect()
        connection.connect()
        # What the kernel holds of it is not sent.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        connection.putrequest("POST", address)
        length = {"Content-Length": str(len(head) + len(content) + len(foot))}
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        for name, value in (self.headers | length | form).items():
            connection.putheader(name, value)
        connection.endheaders(head)
        connection.send(content)
        connection.send(foot)
        last = time.perf_counter()
        response = connection.getresponse()
        text = response.read()
        assert response.status == 200, (response.status, text)
        connection.close()
        return time.perf_counter() - last, time.perf_counter() - began
