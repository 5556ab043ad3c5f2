"""The site that the web servers of `serving` run: a view for each way to serve a file."""

from .stage import MiB, configure

configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__)

from django.core.handlers.asgi import ASGIHandler  # noqa: E402  # after the settings
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402  # after the settings
from django.http import (  # noqa: E402  # after the settings
    FileResponse,
    HttpRequest,
    StreamingHttpResponse,
)
from django.urls import path  # noqa: E402  # after the settings
from pg_lo_storage.views import db_serve as old_db_serve  # noqa: E402  # after the settings

from lo_storage.views import adb_serve, db_serve  # noqa: E402  # after the settings

from .contestants import LargeObject  # noqa: E402  # after the settings


def from_disk(request: HttpRequest, filename: str) -> FileResponse:
    return FileResponse(open(f"/{filename}", "rb"))


def alone(request: HttpRequest, loid: int, size: int) -> StreamingHttpResponse:
    """Send what psycopg reads, and nothing else that HTTP has."""
    last = int(request.headers.get("Range", "").removeprefix("bytes=-") or size)
    file = LargeObject(loid)
    file.seek(size - last)
    content = file.chunks() if last > MiB else [file.read(last)]
    return StreamingHttpResponse(content, headers={"Content-Length": str(last)})


urlpatterns = [
    path("alone/<int:loid>/<int:size>", alone),
    path("new/<path:filename>", db_serve),
    path("async/<path:filename>", adb_serve),
    path("old/<path:filename>", old_db_serve),
    path("disk/<path:filename>", from_disk),
]
wsgi, asgi = WSGIHandler(), ASGIHandler()
