"""`db_serve`: a file as an HTTP response."""

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

from . import serving
from .storage import DbFileStorage, db_file_storage


def db_serve(
    request: HttpRequest,
    filename: str,
    *,
    storage: DbFileStorage = db_file_storage,
    as_attachment: bool | None = None,
    download_name: str | None = None,
) -> HttpResponseBase:
    """Answer a GET or HEAD with a file. Whether the user may have it is the caller's question.

    Arguments: the request; `filename`, a stored name; `storage`, where it is stored;
    `as_attachment` and `download_name` as in `lo_storage.serving.headers`.

    Answers conditions (RFC 9110, section 13) and a byte range (section 14), and streams under WSGI
    and ASGI: one statement for what the catalogue knows and then one a MiB, outside of any
    transaction. Raises `Http404` for what the catalogue does not have.
    """
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    try:
        alias, entry = storage.locate(filename)
    except FileNotFoundError as error:
        raise Http404("There is no such file.") from error

    headers = serving.headers(entry, as_attachment, download_name)
    unmet = get_conditional_response(
        request, serving.etag(entry), int(entry.modified_at.timestamp())
    )
    if unmet is not None:
        if unmet.status_code == 304:
            for name in NOT_MODIFIED:
                unmet[name] = headers[name]
        return unmet
    if request.method == "HEAD":
        return HttpResponse(headers={**headers, "Content-Length": str(entry.size)})

    part = serving.select(entry, request.headers.get("Range"), request.headers.get("If-Range"))
    # An ASGI request has a scope; other frameworks wrap it and pass its attributes on.
    stream = serving.async_pieces if hasattr(request, "scope") else serving.pieces
    return StreamingHttpResponse(
        stream(alias, entry, part.start, part.end),
        status=part.status,
        headers={**headers, **part.headers},
    )


# RFC 9110, section 15.4.5.
NOT_MODIFIED = ("Cache-Control", "ETag", "Last-Modified")
