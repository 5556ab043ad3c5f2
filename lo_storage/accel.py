"""Files from a cache of nginx's: who may have one is asked each time, and its bytes only once.

With the setting PG_LO_STORAGE_X_ACCEL `db_serve` answers with the header X-Accel-Redirect. nginx
takes the content from its cache, or asks for it at that address, which is below the one here::

    path("x-accel/", include("lo_storage.accel"))

The path is another one for each version of each file, and what the cache knows it by. The query is
a signature of the path and the time, by which it opens for a day. Nobody but this module can make
one, and no client sees it; who reaches the site past nginx, and may have the file, does.
"""

import re
from collections.abc import Mapping
from datetime import UTC, timedelta
from functools import partial

from django.core.signing import BadSignature, TimestampSigner
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.views.decorators.http import require_GET

from . import catalogue
from .catalogue import SMALL_SIZE, Entry
from .database import db_for_read, db_for_write, retry_on_recovery_conflict
from .serving.answers import Answer, answer
from .serving.headers import POLICY, describe, etag
from .serving.responses import is_asgi, respond
from .serving.streaming import ContentChanged, close_connections_with_request

app_name = "lo_storage_accel"

# For who reads slowly nginx asks for one slice after the other.
LONGEST_DOWNLOAD = timedelta(days=1)

# What nginx and RFC 9110 read alike: one range, without a space.
_PLAIN_RANGE = re.compile(r"bytes=([0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})", re.ASCII)

# nginx looks at these once more, by other rules (RFC 9110, section 13.2.2): both refuse.
_REFUSING = ("If-Match", "If-Unmodified-Since")

# What nginx needs to know of a slice, and what keeps a browser safe that asks past nginx. All else
# that describes the file is in the answer before it.
_OF_A_SLICE = (
    *("Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified"),
    *("Cross-Origin-Resource-Policy", "X-Content-Type-Options"),
)


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
    headers = {**answered.headers, "Content-Length": "0"}
    headers.pop("Content-Range", None)
    headers["X-Accel-Redirect"] = _address(alias, entry)
    # By its own name nginx would pass it on with an error, too, which a browser then saves as the
    # file.
    headers["X-Accel-Content-Disposition"] = headers.pop("Content-Disposition")
    return Answer(200, headers, [])


@require_GET
def content(request: HttpRequest, encoded: str) -> HttpResponseBase:
    """Answer nginx with the content at an address, or a range of it.

    Raises `Http404` for an address that is not ours or too old, and for a file that is gone. One
    that was changed since is a 503: who asks again is handed over the new content. Round trips: one
    finds the row, one more where a replica does not have it, and one reads each MiB.
    """
    try:
        signed = f"{encoded}:{request.META.get('QUERY_STRING', '')}"
        alias, name, *identity = _signer().unsign_object(signed, max_age=LONGEST_DOWNLOAD)
        alias, entry = _find(alias, name, identity)
        status, headers, segments = answer("GET", request.headers, entry, describe(entry))
        headers = {name: headers[name] for name in _OF_A_SLICE if name in headers}
        headers["Content-Security-Policy"] = POLICY
        return respond(request, alias, entry, Answer(status, headers, segments))
    except (BadSignature, FileNotFoundError) as error:
        raise Http404("There is no such content.") from error
    except ContentChanged:
        return HttpResponse(
            "The file was changed a moment ago. Please ask for it again.\n",
            status=503,
            content_type="text/plain; charset=utf-8",
            headers={"Retry-After": "1"},
        )
    finally:
        if is_asgi(request):
            close_connections_with_request()


# nginx has no account. (As `login_not_required` of Django 5.1 says to LoginRequiredMiddleware.)
content.login_required = False  # type: ignore[attr-defined]


def _find(alias: str, name: str, identity: list[str | None]) -> tuple[str, Entry]:
    """Return (the alias of a database that has this content, its row)."""
    # Behind an alias may be several replicas, of which this one lags behind the one before.
    writer = db_for_write() if alias == db_for_read() else alias
    for place in dict.fromkeys([alias, writer]):
        entry = retry_on_recovery_conflict(place, partial(catalogue.find, name=name))
        if entry is not None and _identity(entry) == identity:
            return place, entry
    raise FileNotFoundError if entry is None else ContentChanged


def _address(alias: str, entry: Entry) -> str:
    signed = _signer().sign_object([alias, entry.name, *_identity(entry)])
    encoded, _, signature = signed.partition(":")
    return f"{reverse(f'{app_name}:content', args=[encoded])}?{signature}"


def _identity(entry: Entry) -> list[str | None]:
    """Return what no other content has, nor had before the database was restored to a moment."""
    return [etag(entry), entry.created_at.astimezone(UTC).isoformat(), entry.sha256]


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="lo_storage.accel")


urlpatterns = [path("<str:encoded>", content, name="content")]
