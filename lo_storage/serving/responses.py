"""An answer as a response of Django's, under WSGI and ASGI."""

from collections.abc import AsyncIterable, Callable, Iterator

from django.http import HttpRequest, StreamingHttpResponse

from ..catalogue import Entry
from . import streaming
from .answers import Answer


class UncompressedResponse(StreamingHttpResponse):
    def has_header(self, header: str) -> bool:
        # GZipMiddleware passes over what has this header; else it would corrupt a range and drop
        # Content-Length. To send "identity" is forbidden (RFC 9110, section 8.4.1).
        return header.lower() == "content-encoding" or super().has_header(header)


def is_asgi(request: HttpRequest) -> bool:
    """Whether the server is one of ASGI."""
    return hasattr(request, "scope")  # No isinstance(): other frameworks wrap the request.


def respond(
    request: HttpRequest,
    alias: str,
    entry: Entry,
    answer: Answer,
    read: streaming.Read | None = None,
) -> UncompressedResponse:
    """Return the response, of which the first MiB has been read.

    Arguments and exceptions are those of `streaming.stream`.
    """
    stream: Callable[..., Iterator[bytes] | AsyncIterable[bytes]]
    stream = streaming.astream if is_asgi(request) else streaming.stream
    body = stream(alias, entry, answer.segments, read)
    response = UncompressedResponse(body, status=answer.status, headers=answer.headers)
    if "Content-Type" not in answer.headers:
        del response["Content-Type"]  # Django's default.
    return response
