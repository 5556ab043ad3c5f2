"""`UploadHandler`: the files of a plain form are staged while they arrive."""

import hashlib
from io import BytesIO
from time import monotonic
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _

from ..database import db_for_write
from ..large_objects import WRITE_SIZE
from . import bodies, staging
from .files import RefusedFile, StagedFile, let_in
from .limits import LimitExceeded
from .models import Upload
from .removing import remove


class UploadHandler(FileUploadHandler):
    """Stage each file of a signed-in user: no temporary file, and no copy when a row takes it.

    So a form that is refused still has its files (`ResumableFileField`). In a view that
    `takes_uploads`, or in FILE_UPLOAD_HANDLERS, before Django's own, which get the files of anybody
    else. A file beyond a limit is read to its end and not kept: `RefusedFile` tells the form why.
    What was staged goes when the request breaks off, also between two fields, where Django would
    take for the whole form what had come (`MultiPartParserError`, status 400).

    Round trips: eight for a file, and one for each MiB.
    """

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self.alias = db_for_write()
        self.staged: list[Upload] = []
        self.is_wanted = False  # as long as the view was not reached
        self.missing = 0  # bytes of the body

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *_: Any) -> None:
        self.missing = content_length
        if isinstance(input_data, BytesIO):  # Somebody has read all of it before.
            self.missing -= input_data.getbuffer().nbytes
            return
        body, ahead = bodies.Reader(input_data.read), memoryview(b"")

        def counted(size: int = WRITE_SIZE) -> bytes:
            nonlocal ahead
            if not ahead:
                with bodies.waiting(monotonic()):
                    ahead = memoryview(body.read(WRITE_SIZE))
                self.missing -= len(ahead)
            piece, ahead = ahead[:size], ahead[size:]
            return bytes(piece)

        input_data.read = counted

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.upload: Upload | None = None
        self.problem = ""
        self.waiting, self.sha256 = bytearray(), hashlib.sha256()
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            return
        try:
            self.upload = staging.create(self.alias, user, None, self.file_name or "")
        except LimitExceeded as error:
            self.problem = str(error)
        except get_user_model().DoesNotExist:
            self.problem = _("Your account is no longer here.")
        else:
            self.staged.append(self.upload)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if self.upload is None:
            return None if self.problem else raw_data
        self.sha256.update(raw_data)
        self.waiting += raw_data
        if len(self.waiting) >= WRITE_SIZE:
            self._write(WRITE_SIZE)
        return None

    def file_complete(self, file_size: int) -> Any:
        if self.upload is not None:
            self._write(len(self.waiting))
        if self.problem:
            return RefusedFile(self.file_name or "", self.problem)
        if self.upload is None:
            return None
        staging.end(self.alias, self.upload, self.sha256.hexdigest())
        return let_in(StagedFile(self.alias, self.upload, is_kept=False))

    def discard(self) -> None:
        """Delete what was staged."""
        if self.staged:
            remove(self.alias, [upload.pk for upload in self.staged])
        self.staged.clear()

    # Django would go on with what came whole, and half a batch is no batch.
    def upload_interrupted(self) -> None:
        self.discard()
        raise MultiPartParserError("The upload broke off in the middle of a file.")

    def upload_complete(self) -> None:
        if self.missing > 0:
            self.discard()
            raise MultiPartParserError("The form broke off.")

    def _write(self, size: int) -> None:
        assert self.upload is not None
        try:
            staging.append(self.alias, self.upload, self.waiting[:size])
        except LimitExceeded as error:
            self._refuse(str(error))
        except staging.Superseded:  # It expired, or its user was deleted.
            self._refuse(_("An upload is no longer here. Choose its file again."))
        del self.waiting[:size]

    def _refuse(self, problem: str) -> None:
        assert self.upload is not None
        self.problem = problem
        remove(self.alias, [self.upload.pk])
        self.upload = None
