"""A site of three views, for the web servers that tests start; `SITE` has its settings as JSON."""

import json
import os

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["lo_storage"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of tests",
    **json.loads(os.environ["SITE"]),
)
django.setup()

from lo_storage.models import LargeObject  # noqa: E402  # after setup()
from lo_storage.views import adb_serve, db_serve  # noqa: E402  # after setup()


def view(request, filename):
    # Asks the alias "default", too, as sessions and users do.
    get_object_or_404(LargeObject.objects.using("default"), name=filename)
    return db_serve(request, filename)


# Django asks it of an async view.
@transaction.non_atomic_requests(using="default")
@transaction.non_atomic_requests(using="files")
async def async_view(request, filename):
    return await adb_serve(request, filename)


urlpatterns = [
    path("x-accel/", include("lo_storage.accel")),
    path("async/<path:filename>", async_view),
    path("<path:filename>", view),
]
wsgi, asgi = WSGIHandler(), ASGIHandler()
