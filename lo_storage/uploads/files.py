"""`StagedFile`: an upload that has come whole, as Django's forms and fields have a file."""

import mimetypes
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any, Self
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext as _

from ..files import DbFileIO
from . import staging
from .models import Upload

# A form has the files of its field `data` that it had before by their ids, as `data-staged`.
KEPT = "-staged"


class StagedFile(UploadedFile):  # type: ignore[type-arg]  # no generic at run time
    """What a form's field gives for a complete upload, and what a model's file field saves.

    It is read as any uploaded file is, from the database. `DbFileStorage.save()` does not read it:
    in the row's transaction the large object itself becomes the file.
    """

    _file: Any

    def __init__(self, alias: str, upload: Upload) -> None:
        content_type, _encoding = mimetypes.guess_type(upload.original_name)
        super().__init__(content_type=content_type, size=upload.length)
        # The property would cut it at 255 characters, which a column does not ask for.
        self._name = upload.original_name
        self.alias, self.upload = alias, upload

    @property
    def id(self) -> UUID:
        """Of the upload; what a form sends to name it again."""
        return self.upload.pk

    @property
    def sha256(self) -> str | None:
        """Of all bytes, in hexadecimal."""
        return self.upload.sha256

    @property
    def file(self) -> Any:
        """A `DbFileIO`, which is opened when it is first asked for."""
        if self._file is None:
            self._file = self._open_object()
        return self._file

    @file.setter
    def file(self, file: Any) -> None:
        self._file = file

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Go to the beginning; one round trip for a file that is closed."""
        if self.file.closed:
            self.file.open()
        self.file.seek(0)
        return self

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the content in chunks of `chunk_size` bytes (None: 256 KiB, the fastest)."""
        if chunk_size:
            yield from super().chunks(chunk_size)
        else:
            with self._open_object() as file:
                yield from file.chunks()

    def adopt(self, alias: str, original_name: str) -> str | None:
        """Become the file of a row, in its transaction, and return the stored name.

        None where the storage's database is another one: then the bytes are copied. Raises
        `FileNotFoundError` where the upload is gone or was saved already. One round trip.
        """
        if alias != self.alias:
            return None
        return staging.adopt(alias, self.upload.pk, original_name)

    def _open_object(self) -> DbFileIO:
        return DbFileIO(self.upload.loid, name=self._name, alias=self.alias)


class RefusedFile(UploadedFile):  # type: ignore[type-arg]
    """In place of a file that was not kept; `problem` is the sentence for its user.

    A field that knows nothing of it takes it for an empty file, and refuses it.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(BytesIO(), content_type="application/octet-stream", size=0)
        self._name = name
        self.problem = problem


def kept_files(alias: str, user: Any, ids: Iterable[str]) -> list[StagedFile | RefusedFile]:
    """Return the complete uploads of a user that a form names; sealed, and each once.

    What is no longer there, of another user or made up is a `RefusedFile`; so is what has not come
    whole. One round trip, and for one that is not sealed those of `staging.seal`.
    """
    ids = list(dict.fromkeys(ids))
    wanted = dict[str, UUID]()
    for text in ids:
        with suppress(ValueError):
            wanted[text] = UUID(text)
    found = {
        upload.pk: upload
        for upload in Upload.objects.using(alias).filter(
            pk__in=wanted.values(), owner=user, expires_at__gt=timezone.now()
        )
    }
    return [_kept_file(alias, found.get(wanted[text]) if text in wanted else None) for text in ids]


def _kept_file(alias: str, upload: Upload | None) -> StagedFile | RefusedFile:
    if upload is None:
        return RefusedFile("", _("An upload is no longer here. Choose its file again."))
    name = upload.original_name
    if not upload.is_complete:
        return RefusedFile(name, _("“%s” has not come whole yet.") % name)
    if not staging.seal(alias, upload):
        return RefusedFile(name, _("“%s” came with another content. Send it again.") % name)
    return StagedFile(alias, upload)
