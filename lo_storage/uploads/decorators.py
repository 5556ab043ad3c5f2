"""`takes_uploads`: the view's form has files that were staged, and those that it had before."""

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from ..database import db_for_write
from .bodies import silence_ends
from .files import KEPT, kept_files
from .handlers import UploadHandler
from .staging import UploadGone


def takes_uploads(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Stage the files of a signed-in user, and put those that the form names into `request.FILES`.

    The form needs nothing: a field has what was kept for it, and what was chosen anew. A field of
    one file has the new one. Nothing is left of a request that breaks off, or whose CSRF token is
    refused. Where a row was to take what another one took meanwhile, a double click perhaps, the
    answer has status 400. One round trip, where the form names any.
    """

    @functools.wraps(view)
    def with_kept_files(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            for handler in request.upload_handlers:
                if isinstance(handler, UploadHandler):
                    handler.is_wanted = True
            add_kept_files(request)
        try:
            return view(request, *args, **kwargs)
        except UploadGone as error:
            raise BadRequest(str(error)) from error

    protected = csrf_protect(with_kept_files)

    # CSRF protection reads the form, and must come after the handler was set, so it moves inside:
    # https://docs.djangoproject.com/en/stable/topics/http/file-uploads/#modifying-upload-handlers-on-the-fly
    @csrf_exempt
    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST" or not request.user.is_authenticated:
            return protected(request, *args, **kwargs)
        handler = UploadHandler(request)
        with suppress(AttributeError):  # Somebody has read the form before.
            request.upload_handlers = [handler]
        try:
            with silence_ends(request):
                request.POST  # noqa: B018  # parses
            return protected(request, *args, **kwargs)
        finally:
            if not handler.is_wanted:
                handler.discard()

    return wrapper


def add_kept_files(request: HttpRequest) -> None:
    """Put the uploads that a form names by `KEPT` before the files that it brings."""
    user: Any = request.user
    named = {
        key.removesuffix(KEPT): map(str, ids)
        for key, ids in request.POST.lists()
        if key.endswith(KEPT)
    }
    if user.is_authenticated and named:
        for field, kept in kept_files(db_for_write(), user, named).items():
            request.FILES.setlist(field, [*kept, *request.FILES.getlist(field)])
