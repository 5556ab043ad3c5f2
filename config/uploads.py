"""Uploads within limits, and under the names that their owners gave them.

No request brings a file unless its view says `takes_files`: `NoFiles` is the site's own handler.
"""

import functools
import logging

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.db import OperationalError
from django.http import HttpResponseBadRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from psycopg.errors import DiskFull

from lo_storage.uploads.decorators import takes_uploads

logger = logging.getLogger(__name__)


class NoFiles(FileUploadHandler):
    """Keeps no byte of any file.

    Whoever asks for whatever page makes Django parse a form: its CSRF check does, even for a 404.
    """

    is_told = False

    def new_file(self, *args, **kwargs):
        super().new_file(*args, **kwargs)
        view = self.request.resolver_match  # not the address, which may be a secret
        if view and not self.is_told:  # once for a request, whose sender may be anybody
            self.is_told = True
            logger.warning("%s takes no files: decorate it by takes_files", view.view_name)
        raise SkipFile

    def receive_data_chunk(self, raw_data, start):
        raise NotImplementedError("a skipped file has no chunks")

    def file_complete(self, file_size):
        raise NotImplementedError("a skipped file has no end")


class FormParser(MultiPartParser):
    """Keeps a file's name as it was.

    Django's parser drops each character of a name that does not print: the joiners in emoji and in
    Persian words, the narrow space in the name of every screenshot that a Mac took. Here the name
    goes into a column and never into a path, so it may have them all.
    """

    def sanitize_file_name(self, file_name):
        name = file_name.replace("\\", "/").rpartition("/")[2].replace("\0", "")
        # What browsers escape in a name, and all that they escape (HTML, "Multipart form data").
        name = name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
        return None if name in {"", ".", ".."} else name


def takes_files(view):
    """Let the view's form have files, staged by `takes_uploads`; what is too much gets a page.

    Ask who the user is outside of it: then no stranger's file comes as far as the database.
    """
    staged = takes_uploads(view)

    @csrf_exempt  # `takes_uploads` asks.
    @functools.wraps(view)
    def wrapper(request, *args, **kwargs):
        request.parse_file_upload = functools.partial(_parse, request)
        try:
            return staged(request, *args, **kwargs)
        except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent):
            return too_much(request)
        except UnreadablePostError:
            return HttpResponseBadRequest()  # The browser went away: nobody will read it.
        except OperationalError as error:
            if not isinstance(error.__cause__, DiskFull):
                raise
            logger.exception("The database has no room for an upload")
            return render(request, "507.html", status=507)

    return wrapper


def _parse(request, meta, body):
    return FormParser(meta, body, request.upload_handlers, request.encoding).parse()


def too_much(request):
    limits = {
        "max_files": settings.UPLOAD_MAX_BATCH_FILES,
        "max_size": filesizeformat(settings.UPLOAD_MAX_BATCH_SIZE),
    }
    return render(request, "413.html", limits, status=413)


class TakesFiles:
    """Lets the form of a ModelAdmin take files: `class PaperAdmin(TakesFiles, ModelAdmin)`."""

    @method_decorator(takes_files)
    def add_view(self, request, form_url="", extra_context=None):
        return super().add_view(request, form_url, extra_context)

    @method_decorator(takes_files)
    def change_view(self, request, object_id, form_url="", extra_context=None):
        return super().change_view(request, object_id, form_url, extra_context)
