"""The site behind nginx: both views are asked by a query, and nginx sends what they allow."""

from .stage import configure

configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    PG_LO_STORAGE_X_ACCEL=True,
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the benchmark",
)

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402  # after the settings
from django.http import HttpRequest, HttpResponse  # noqa: E402  # after the settings
from django.urls import include, path  # noqa: E402  # after the settings

from lo_storage.models import LargeObject  # noqa: E402  # after the settings
from lo_storage.views import db_serve  # noqa: E402  # after the settings


def from_disk(request: HttpRequest, filename: str) -> HttpResponse:
    LargeObject.objects.exists()  # Any question will do.
    return HttpResponse(headers={"X-Accel-Redirect": f"/files/{filename}"})


urlpatterns = [
    path("new/<path:filename>", db_serve),
    path("disk/<path:filename>", from_disk),
    path("x-accel/", include("lo_storage.accel")),
]
wsgi = WSGIHandler()
