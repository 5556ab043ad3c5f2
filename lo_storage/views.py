"""`db_serve`: a file as an HTTP response."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from .catalogue import SMALL_SIZE
from .names import loid_of
from .serving import streaming
from .serving.answers import answer, forbidden
from .serving.headers import CACHE_CONTROL, describe
from .serving.responses import is_asgi, respond
from .storage import DbFileStorage, db_file_storage

__all__ = ["adb_serve", "db_serve"]


def db_serve(
    request: HttpRequest,
    filename: str,
    *,
    storage: DbFileStorage = db_file_storage,
    as_attachment: bool | None = None,
    download_name: str | None = None,
    cache_control: str = CACHE_CONTROL,
    charset: str | None = None,
) -> HttpResponseBase:
    """Answer a GET or HEAD with a file. Whether the user may have it is the caller's question.

    Arguments:

    - `request`: the request.
    - `filename`: a stored name.
    - `storage`: where it is stored.
    - `as_attachment`, `download_name`, `cache_control`, `charset`: as in
      `lo_storage.serving.headers.describe`.

    Answers conditions (RFC 9110, section 13) and byte ranges (section 14), and streams under WSGI
    and ASGI. The first MiB is read before it returns: what cannot be read is an error before any
    byte is sent. Raises `Http404` for a name that the catalogue does not have, `ContentMissing`,
    `ContentForbidden`, and `ContentChanged` for a file that changed at each of three attempts.

    Round trips: one finds the row, and for a GET without If-None-Match also reads a content below
    256 KiB. Any other content that is sent takes one for each MiB of each range; with the setting
    PG_LO_STORAGE_X_ACCEL none, for nginx sends it. No transaction is held between them.
    """
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    # With If-None-Match the answer is mostly a 304, which needs no content.
    needs_content = request.method == "GET" and "If-None-Match" not in request.headers
    try:
        for attempts_left in (2, 1, 0):
            alias, entry = storage.locate(filename, SMALL_SIZE if needs_content else 0)
            file_headers = describe(entry, as_attachment, download_name, cache_control, charset)
            answered = answer(request.method, request.headers, entry, file_headers)
            if getattr(settings, "PG_LO_STORAGE_X_ACCEL", False):
                from .accel import hand_over  # which a project may have deleted

                answered = hand_over(request.headers, alias, entry, answered)
            try:
                response = respond(request, alias, entry, answered)
                break
            except streaming.ContentChanged:  # Nothing was sent yet: look again.
                if not attempts_left:
                    raise
    except FileNotFoundError as error:
        raise Http404("There is no such file.") from error
    except PermissionError as error:
        raise forbidden(loid_of(filename), error) from error
    finally:
        if is_asgi(request):
            streaming.close_connections_with_request()
    return response


#: `db_serve` for an async view to await, with the same arguments.
adb_serve = sync_to_async(db_serve)
