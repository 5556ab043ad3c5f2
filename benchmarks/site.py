"""The site that the web servers of `serving` run: a view for each way to serve a file."""

from .stage import configure

configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__)

from django.core.handlers.asgi import ASGIHandler  # noqa: E402  # after the settings
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402  # after the settings
from django.http import FileResponse, HttpRequest  # noqa: E402  # after the settings
from django.urls import path  # noqa: E402  # after the settings
from pg_lo_storage.views import db_serve as old_db_serve  # noqa: E402  # after the settings

from lo_storage.views import adb_serve, db_serve  # noqa: E402  # after the settings


def from_disk(request: HttpRequest, filename: str) -> FileResponse:
    return FileResponse(open(f"/{filename}", "rb"))


urlpatterns = [
    path("new/<path:filename>", db_serve),
    path("async/<path:filename>", adb_serve),
    path("old/<path:filename>", old_db_serve),
    path("disk/<path:filename>", from_disk),
]
wsgi, asgi = WSGIHandler(), ASGIHandler()
