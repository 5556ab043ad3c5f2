"""Uploads within limits, and under the names that their owners gave them."""

import functools
import os

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpResponseBadRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, csrf_protect


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


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Writes no more than the limits allow, but counts on: the form then says what was too large.

    To stop reading instead would reset the connection, and nobody would see the sentence.
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
        within_file = start < settings.INVOICE_MAX_FILE_SIZE
        if within_file and self.written <= settings.INVOICE_MAX_BATCH_SIZE:
            super().receive_data_chunk(raw_data, start)

    def upload_interrupted(self):
        # Django would go on with the files that came whole, and half a batch is no batch.
        super().upload_interrupted()
        raise MultiPartParserError("The upload broke off in the middle of a file.")


def takes_files(view):
    """Let the view's form see its files as above; answer with a page what Django cannot parse."""
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
            except (SuspiciousOperation, MultiPartParserError):
                while request.read(2**16):
                    pass
                context = {"max_files": settings.INVOICE_MAX_BATCH_FILES}
                return render(request, "invoices/413.html", context, status=413)
            except UnreadablePostError:
                return HttpResponseBadRequest()  # The browser went away: nobody will read it.
        return protected(request, *args, **kwargs)

    return wrapper


def _parse(request, meta, body):
    return OriginalNameParser(meta, body, request.upload_handlers, request.encoding).parse()
