"""People who use the site at random, and remember what they were told.

For each title a client knows what there may be: the SHA-256 of each file of its invoices. What was
answered as stored is there, what was refused is not, and of what was not answered, or not clearly,
either all is there or nothing.
"""

import hashlib
import random
import re
import threading
from collections import Counter
from collections.abc import Callable

import requests

from tests.slow_clients import opened

PASSWORD = "a-Secret-1"
TIMEOUT = 60
DIGITS = 16  # of a SHA-256: enough to tell the files of a trial apart
MANY = 25  # invoices of one client: then more are deleted
REFUSED = "Nothing was changed"
# What the form says itself of an experiment, and of what it does not take
IN_THE_FORM = re.compile(
    r'class="errorlist|Rolled back|an exception was raised|the database refused', re.I
)

type State = tuple[str, ...]
type Files = list[tuple[str, tuple[str, bytes]]]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


class Unclear(Exception):
    """No answer came, or one that does not say whether anything was done."""


class Client:
    def __init__(self, name: str, seed: str, certificate: str) -> None:
        self.name, self.choice = name, random.Random(seed)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = certificate
        self.address = ""
        self.possible: dict[str, set[State]] = {}
        self.keys: dict[str, int] = {}  # of invoices that are alone with their title
        # Those of which nobody knows whether they arrived: fields, files, and what then is there
        self.forms: dict[str, tuple[dict[str, str], Files, State]] = {}
        self.number = self.asked = 0
        self.done: Counter[str] = Counter()
        self.found: list[str] = []

    def work(self, until: threading.Event) -> None:
        while not until.is_set():
            operation = self._choose()
            try:
                outcome = operation()
            except (OSError, Unclear):  # those of requests are OSErrors
                outcome = "no clear answer"
            self.asked += 1
            self.done[f"{operation.__name__}: {outcome}"] += 1

    def _choose(self) -> Callable[[], str]:
        operations = [self.upload, self.upload_many, self.roll_back, self.break_off, self.search]
        weights = [4, 2, 1, 1, 1]
        if self.keys:
            operations += [self.replace, self.delete, self.download]
            weights += [3, 2 if len(self.keys) < MANY else 12, 3]
        if self.forms:
            operations.append(self.send_again)
            weights.append(3)
        return self.choice.choices(operations, weights)[0]

    # What a browser does

    def _get(self, path: str) -> requests.Response:
        answer = self.session.get(self.address + path, timeout=TIMEOUT)
        if "/accounts/login/" in answer.url:
            self._sign_in(answer)
            answer = self.session.get(self.address + path, timeout=TIMEOUT)
        if answer.status_code == 500:
            self.found.append(f"GET {path} was answered with 500")
        return answer

    def _sign_in(self, page: requests.Response) -> None:
        fields = {**self._fields(page), "username": self.name, "password": PASSWORD}
        answer = self.session.post(
            page.url, fields, headers={"Referer": page.url}, timeout=TIMEOUT, allow_redirects=False
        )
        self.done["sign_in: " + ("done" if answer.status_code == 302 else "not done")] += 1

    @staticmethod
    def _fields(page: requests.Response) -> dict[str, str]:
        hidden = re.findall(r'name="(csrfmiddlewaretoken|token)" value="([^"]+)"', page.text)
        if not hidden:
            raise Unclear(f"{page.status_code}: no form")
        return dict(hidden)

    def _post(self, path: str, fields: dict[str, str], files: Files) -> tuple[str, str]:
        """Send a form; return ("done" or "refused", where it leads)."""
        answer = self.session.post(
            self.address + path,
            fields,
            files=files or None,
            headers={"Referer": self.address + path},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if answer.status_code == 500:
            self.found.append(f"POST {path} was answered with 500")
        if answer.status_code == 302:
            if "/accounts/login/" in answer.headers["Location"]:
                return "refused", ""
            return "done", answer.headers["Location"]
        if answer.status_code in (403, 413, 429) or REFUSED in answer.text:
            return "refused", ""
        if answer.status_code == 200 and IN_THE_FORM.search(answer.text):
            return "refused", ""
        raise Unclear(f"{answer.status_code}: {answer.text[:200]}")

    def _content(self) -> bytes:
        sizes = [(1, 1_000), (1_000, 100_000), (100_000, 400_000), (1_000_000, 2_500_000)]
        low, high = self.choice.choices(sizes, [2, 5, 3, 1])[0]
        return self.choice.randbytes(self.choice.randrange(low, high))

    def _form(self, files: int) -> str:
        """Return the title of a form that was filled in, and that can be sent."""
        self.number += 1
        title = f"{self.name}n{self.number}e"
        contents = [self._content() for _ in range(files)]
        self.possible[title] = {()}
        sent = [("files", (f"{title}-{i}.bin", content)) for i, content in enumerate(contents)]
        fields = {**self._fields(self._get("/upload/")), "title": title, "issued": "2026-03-02"}
        self.forms[title] = fields, sent, tuple(sorted(map(sha256, contents)))
        return title

    # What people do

    def upload(self, files: int = 1) -> str:
        return self._send(self._form(files))

    def upload_many(self) -> str:
        return self.upload(self.choice.randint(2, 5))

    def send_again(self) -> str:
        """A form of which nobody knows whether it arrived: nothing is done twice."""
        return self._send(self.choice.choice(sorted(self.forms)))

    def _send(self, title: str) -> str:
        fields, sent, state = self.forms[title]
        outcome, place = self._change(title, state, "/upload/", fields, sent)
        del self.forms[title]
        if key := re.fullmatch(r"/(\d+)/", place):
            self.keys[title] = int(key[1])
        return outcome

    def _change(
        self, title: str, state: State, path: str, fields: dict[str, str], sent: Files
    ) -> tuple[str, str]:
        """Send what gives a title another state; as long as no answer is clear it has either."""
        before = self.possible[title]
        self.possible[title] = before | {state}
        outcome, place = self._post(path, fields, sent)
        self.possible[title] = {state} if outcome == "done" else before
        return outcome, place

    def replace(self) -> str:
        title, key = self._one()
        content = self._content()
        fields = self._fields(self._get_mine(f"/{key}/replace/"))
        sent = [("data", (f"{title}.bin", content))]
        outcome, _ = self._change(title, (sha256(content),), f"/{key}/replace/", fields, sent)
        self.keys[title] = key
        return outcome

    def delete(self) -> str:
        title, key = self._one()
        fields = self._fields(self._get_mine(f"/{key}/delete/"))
        outcome, _ = self._change(title, (), f"/{key}/delete/", fields, [])
        if outcome != "done":
            self.keys[title] = key
        return outcome

    def _one(self) -> tuple[str, int]:
        """Take an invoice that is there; whoever hears a clear answer puts it back."""
        title = self.choice.choice(sorted(self.keys))
        return title, self.keys.pop(title)

    def _get_mine(self, path: str) -> requests.Response:
        """Open a page of an invoice that is there."""
        answer = self._get(path)
        if answer.status_code == 404:
            self.found.append(f"{path} is there, and was answered with 404")
        if answer.status_code != 200:
            raise Unclear(f"{answer.status_code}")
        return answer

    def download(self) -> str:
        title = self.choice.choice(sorted(self.keys))
        page = self._get_mine(f"/{self.keys[title]}/")
        (path, *_) = re.findall(r'href="(/file/[^"?]+)\?download"', page.text)
        answer = self._get_mine(f"{path}?download")
        if (sha256(answer.content),) not in self.possible[title]:
            self.found.append(f"{title} was downloaded with another content")
        return "done"

    def search(self) -> str:
        if not self.keys:
            self._get("/")
            return "done"
        title = self.choice.choice(sorted(self.keys))
        answer = self._get_mine(f"/?q={title}")
        if f'"/{self.keys[title]}/"' not in answer.text:
            self.found.append(f"{title} is there, and was not found by a search")
        return "done"

    def break_off(self) -> str:
        """Close the connection in the middle of an upload."""
        title = self._form(1)
        fields, sent, _ = self.forms.pop(title)
        page = f"{self.address}/upload/"
        request = self.session.prepare_request(
            requests.Request("POST", page, headers={"Referer": page}, data=fields, files=sent)
        )
        lines = [f"{name}: {value!s}" for name, value in request.headers.items()]
        body = request.body
        assert isinstance(body, bytes)
        head = "\r\n".join(["POST /upload/ HTTP/1.1", *lines])
        with opened(self.address, self.session.verify, head) as connection:
            connection.sendall(body[: len(body) // 2])
        return "done"

    def roll_back(self) -> str:
        """As the demo offers it: all was written, and then it breaks."""
        title = self._form(self.choice.randint(1, 4))
        fields, sent, _ = self.forms.pop(title)
        fields["experiment"] = self.choice.choice(["exception", "commit"])
        outcome, _ = self._post("/upload/", fields, sent)
        if outcome == "done":
            self.found.append(f"{title} was to be rolled back, and was answered as stored")
        return outcome

    # What is there

    def compare(self, rows: list[tuple[int, str, str | None]]) -> list[str]:
        """Tell what differs from (key, title, SHA-256) of the database; then know what is there."""
        there: dict[str, list[tuple[int, str]]] = {}
        for key, title, digest in rows:
            there.setdefault(title, []).append((key, (digest or "no file")[:DIGITS]))
        found = [f"{title} is there, and nobody sent it" for title in there.keys() - self.possible]
        self.keys = {}
        for title, possible in self.possible.items():
            state = tuple(sorted(digest for _, digest in there.get(title, [])))
            if state not in possible:
                found.append(f"{title} has {state}, and by the answers one of {possible}")
            self.possible[title] = {state}
            if len(state) == 1:
                self.keys[title] = there[title][0][0]
            if state:
                self.forms.pop(title, None)
        return found
