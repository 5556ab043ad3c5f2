"""Uploads within limits, and under the names that their owners gave them.

No request brings a file unless its view says `takes_files`: `NoFiles` is the site's own handler.
"""

import functools
import logging
import os
from contextlib import suppress

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import (
    FileUploadHandler,
    SkipFile,
    TemporaryFileUploadHandler,
)
from django.http import HttpResponseBadRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect

logger = logging.getLogger(__name__)


def largest_request():
    """The bytes of the largest upload: its files, and what a form may have without any."""
    return settings.UPLOAD_MAX_BATCH_SIZE + settings.DATA_UPLOAD_MAX_MEMORY_SIZE


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


class OriginalNameParser(MultiPartParser):
    """Keeps a file's name as it was.

    Django's parser drops each character that does not print: the joiners in emoji and in Persian
    words, the narrow space in the name of every screenshot that a Mac took. Here the name goes
    into a column and never into a path, so it may have them all.
    """

    def sanitize_file_name(self, file_name):
        name = file_name.replace("\\", "/").rpartition("/")[2].replace("\0", "")
        # What browsers escape in a name, and all that they escape (HTML, "Multipart form data").
        name = name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
        return None if name in {"", ".", ".."} else name


class Unread:
    """In place of the content of a file that is larger than the limits."""

    closed = True

    def close(self):
        pass

    def __getattr__(self, name):
        raise RequestDataTooBig("This file was not kept: look at its size before its content.")


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Writes no more than the limits allow, but counts on: the form then says what was too large.

    To stop reading instead would reset the connection, and nobody would see the sentence. Where a
    form does not look at the size, the first to read the file gets `RequestDataTooBig`.
    """

    written = 0

    def new_file(self, field_name, file_name, *args, **kwargs):
        # Django gives the temporary file the same suffix, and no disk takes one of 250 letters.
        super().new_file(field_name, "upload", *args, **kwargs)
        # Without a name on disk: nothing of it is left behind, even by a server that is killed.
        os.unlink(self.file.temporary_file_path())
        # The property would cut it at 255 characters, which a column does not ask for.
        self.file._name = file_name

    def receive_data_chunk(self, raw_data, start):
        self.written += len(raw_data)
        within_file = start < settings.UPLOAD_MAX_FILE_SIZE
        if within_file and self.written <= settings.UPLOAD_MAX_BATCH_SIZE:
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size):
        file = super().file_complete(file_size)
        within_file = file_size <= settings.UPLOAD_MAX_FILE_SIZE
        if not within_file or self.written > settings.UPLOAD_MAX_BATCH_SIZE:
            file.close()
            file.file = Unread()
        return file

    def upload_interrupted(self):
        # Django would go on with the files that came whole, and half a batch is no batch.
        super().upload_interrupted()
        raise MultiPartParserError("The upload broke off in the middle of a file.")

    def discard(self):
        """Remove the file that did not come whole."""
        if hasattr(self, "file"):
            with suppress(OSError):  # what was still to be written of it finds no room, either
                self.file.close()


def takes_files(view):
    """Let the view's form see its files as above; answer with a page what cannot be taken.

    Ask who the user is outside of it: then no stranger's file comes as far as the disk.
    """
    protected = csrf_protect(view)

    # CSRF protection reads the form, and must come after the handler was set, so it moves inside:
    # https://docs.djangoproject.com/en/stable/topics/http/file-uploads/#modifying-upload-handlers-on-the-fly
    @csrf_exempt
    @functools.wraps(view)
    def wrapper(request, *args, **kwargs):
        if request.method == "POST":
            request.upload_handlers = [BoundedUploadHandler(request)]
            request.parse_file_upload = functools.partial(_parse, request)
            try:
                request.POST  # noqa: B018  # parses
            except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent):
                return too_much(request)
            except UnreadablePostError:
                return HttpResponseBadRequest()  # The browser went away: nobody will read it.
            except OSError:
                logger.exception("The folder for temporary files takes no upload")
                return render(request, "507.html", status=507)
        try:
            return protected(request, *args, **kwargs)
        except RequestDataTooBig:
            return too_much(request)

    return wrapper


def _parse(request, meta, body):
    handlers = request.upload_handlers
    try:
        return OriginalNameParser(meta, body, handlers, request.encoding).parse()
    except BaseException:
        handlers[0].discard()
        raise


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
