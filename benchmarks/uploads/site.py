"""The site that the uploads go to: a form as it was, a form that stages, and pieces."""

import json
import os
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.wsgi import get_wsgi_application

from lo_storage.storage import db_file_storage

from ..stage import MiB

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.ROOT_URLCONF = __name__
settings.UPLOAD_MAX_BATCH_SIZE = 2**40
settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 2**40, "QUOTA_SIZE": None}
if pool := os.environ.get("POOL"):
    settings.DATABASES["default"] |= {"OPTIONS": {"pool": json.loads(pool)}}
application = get_wsgi_application()

from django.contrib.auth.decorators import login_required  # noqa: E402  # after the settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler  # noqa: E402  # as above
from django.http import HttpRequest, HttpResponse  # noqa: E402  # as above
from django.urls import include, path  # noqa: E402  # as above
from django.views.decorators.csrf import csrf_exempt  # noqa: E402  # as above

from invoices.models import Invoice  # noqa: E402  # as above
from lo_storage.uploads.decorators import takes_uploads  # noqa: E402  # as above


def save(request: HttpRequest) -> HttpResponse:
    """Save a row with the file, and tell how many milliseconds that took."""
    user: Any = request.user
    began = perf_counter()
    row = {"owner": user, "issued": "2026-03-02", "title": request.POST["title"]}
    number = Invoice.objects.next_number(user, 2026)
    Invoice.objects.create(number=number, data=request.FILES["data"], **row)
    return HttpResponse(f"{(perf_counter() - began) * 1000}")


@csrf_exempt  # which reads the form before the view can say how
def spooled(request: HttpRequest) -> HttpResponse:
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    return save(request)


def stored(request: HttpRequest) -> HttpResponse:
    """Store so many MiB, that are there already, and tell how many seconds that took."""
    content = ContentFile(os.urandom(MiB) * int(request.GET["size"]))
    began = perf_counter()
    name = db_file_storage.save("a", content)
    seconds = perf_counter() - began
    db_file_storage.delete(name)
    return HttpResponse(f"{seconds}")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{Invoice.objects.count()}")


urlpatterns = [
    path("uploads/", include("lo_storage.uploads.urls")),
    path("spooled/", login_required(spooled)),
    path("staged/", login_required(takes_uploads(save))),
    path("stored/", stored),
    path("page/", login_required(page)),
]
