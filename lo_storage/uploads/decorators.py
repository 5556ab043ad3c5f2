"""`takes_uploads`: the view's form has files that were staged, and those that it had before."""

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from ..database import db_for_write
from .files import KEPT, kept_files
from .handlers import UploadHandler


def takes_uploads(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Stage the files of a signed-in user, and put those that the form names into `request.FILES`.

    The form needs nothing: a field has what was kept for it, and what was chosen anew. A field of
    one file has the new one. One round trip, where the form names any.
    """
    protected = csrf_protect(view)

    # CSRF protection reads the form, and must come after the handler was set, so it moves inside:
    # https://docs.djangoproject.com/en/stable/topics/http/file-uploads/#modifying-upload-handlers-on-the-fly
    @csrf_exempt
    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            request.upload_handlers.insert(0, UploadHandler(request))
            add_kept_files(request)
        return protected(request, *args, **kwargs)

    return wrapper


def add_kept_files(request: HttpRequest) -> None:
    """Put the uploads that a form names by `KEPT` before the files that it brings."""
    user: Any = request.user
    if not user.is_authenticated:
        return
    for key, ids in request.POST.lists():
        if key.endswith(KEPT):
            name = key.removesuffix(KEPT)
            kept = kept_files(db_for_write(), user, map(str, ids))
            request.FILES.setlist(name, [*kept, *request.FILES.getlist(name)])
