"""Files from a cache of nginx's: who may have one is asked each time, and its bytes only once.

With the setting PG_LO_STORAGE_X_ACCEL `db_serve` answers with the header X-Accel-Redirect. nginx
takes the content from its cache, or asks for it at that address, which is below the one here::

    path("x-accel/", include("lo_storage.accel"))

The address is another one for each version of each file. Nobody but this module can make one, so
that a site which can also be reached past nginx gives nothing away. The client never sees it.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from functools import partial

from django.core.signing import BadSignature, Signer
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.views.decorators.http import require_GET

from . import catalogue
from .catalogue import SMALL_SIZE, Entry
from .database import retry_on_recovery_conflict
from .serving.answers import Answer, answer
from .serving.headers import describe, etag
from .serving.responses import is_asgi, respond
from .serving.streaming import ContentChanged, close_connections_with_request

app_name = "lo_storage_accel"

# What nginx and RFC 9110 read alike: one range, without a space.
_PLAIN_RANGE = re.compile(r"bytes=([0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})", re.ASCII)

# nginx looks at these once more, by other rules (RFC 9110, section 13.2.2): both refuse.
_REFUSING = ("If-Match", "If-Unmodified-Since")

# What nginx needs to know of a slice. All that describes the file is in the answer before it.
_OF_A_SLICE = ("Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified")


def hand_over(
    request_headers: Mapping[str, str], alias: str, entry: Entry, answered: Answer
) -> Answer:
    """Return the answer by which nginx sends what `answered` would, or `answered` itself.

    Arguments:

    - `request_headers`: those of the request, by names of any case.
    - `alias`: the database that has the file.
    - `entry`: the file.
    - `answered`: what `lo_storage.serving.answers.answer` says.

    nginx gets the whole content or one range of it, where it would send the same; and nothing below
    256 KiB, which is here already. No round trip.
    """
    asked = request_headers.get("Range")
    is_plain = asked is None or (answered.status == 206 and _PLAIN_RANGE.fullmatch(asked))
    if (
        len(answered.segments) != 1
        or not is_plain
        or entry.size < SMALL_SIZE
        or any(name in request_headers for name in _REFUSING)
    ):
        return answered
    headers = {
        **answered.headers,
        "Content-Length": "0",
        "X-Accel-Redirect": _address(alias, entry),
    }
    headers.pop("Content-Range", None)
    return Answer(200, headers, [])


@require_GET
def content(request: HttpRequest, signed: str) -> HttpResponseBase:
    """Answer nginx with the content at an address, or a range of it.

    Raises `Http404` for an address that is not ours, and for a file that is gone or was changed.
    Round trips: one finds the row, and one reads each MiB.
    """
    try:
        alias, name, *identity = _signer().unsign_object(signed)
        entry = retry_on_recovery_conflict(alias, partial(catalogue.find, name=name))
        if entry is None or identity != _identity(entry):
            raise Http404("There is no such content.")
        status, headers, segments = answer("GET", request.headers, entry, describe(entry))
        headers = {name: headers[name] for name in _OF_A_SLICE if name in headers}
        return respond(request, alias, entry, Answer(status, headers, segments))
    except (BadSignature, ContentChanged) as error:
        raise Http404("There is no such content.") from error
    finally:
        if is_asgi(request):
            close_connections_with_request()


# nginx has no account. (As `login_not_required` of Django 5.1 says to LoginRequiredMiddleware.)
content.login_required = False  # type: ignore[attr-defined]


def _address(alias: str, entry: Entry) -> str:
    signed = _signer().sign_object([alias, entry.name, *_identity(entry)])
    return reverse(f"{app_name}:content", args=[signed])


def _identity(entry: Entry) -> list[str | None]:
    """Return what no other content has, nor had before the database was restored to a moment."""
    return [etag(entry), entry.created_at.astimezone(UTC).isoformat(), entry.sha256]


def _signer() -> Signer:
    return Signer(salt="lo_storage.accel")


urlpatterns = [path("<str:signed>", content, name="content")]
