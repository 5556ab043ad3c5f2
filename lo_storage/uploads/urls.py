"""`path("uploads/", include("lo_storage.uploads.urls"))`."""

from collections.abc import Callable

from django.db import transaction
from django.http.response import HttpResponseBase
from django.urls import path

from ..database import db_for_write
from .views import CreateView, UploadView

app_name = "lo_storage_uploads"


def _view(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    # A request takes as long as its client likes; ATOMIC_REQUESTS is for others.
    return transaction.non_atomic_requests(using=db_for_write())(view)


urlpatterns = [
    path("", _view(CreateView.as_view()), name="create"),
    path("<uuid:id>/", _view(UploadView.as_view()), name="upload"),
    # Without the slash Django would redirect a PATCH, and its client would send no body again.
    path("<uuid:id>", _view(UploadView.as_view())),
]
