"""`StagedFile`: an upload that has come whole, as Django's forms and fields have a file."""

import mimetypes
from collections.abc import Iterator
from typing import Any, Self
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from ..files import DbFileIO
from . import staging
from .models import Upload


class StagedFile(UploadedFile):  # type: ignore[type-arg]  # no generic at run time
    """What a form's field gives for a complete upload, and what a model's file field saves.

    It is read as any uploaded file is, from the database. `DbFileStorage.save()` does not read it:
    in the row's transaction the large object itself becomes the file.
    """

    _file: Any

    def __init__(self, alias: str, upload: Upload) -> None:
        content_type, _ = mimetypes.guess_type(upload.original_name)
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
