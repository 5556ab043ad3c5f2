"""An upload that has come whole, as Django's forms and fields have a file, and one that has not."""

import mimetypes
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NoReturn, Self
from uuid import UUID

from django.core.exceptions import BadRequest
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from ..files import DbFileIO
from ..templatetags.lo_storage import visible
from . import accepting, staging
from .models import Upload
from .removing import remove

# A form has the files of its field `data` that it had before by their ids, as `data-staged`.
KEPT = "-staged"

NAMELESS = "upload"


class StagedFile(UploadedFile):  # type: ignore[type-arg]  # no generic at run time
    """What a form's field gives for a complete upload, and what a model's file field saves.

    It is read as any uploaded file is, from the database. `DbFileStorage.save()` does not read it:
    in the row's transaction the large object itself becomes the file.

    One that came with this request is deleted at its end, as Django's temporary files are, unless a
    row took it, or the page offers it again (`is_kept`).
    """

    _file: Any

    def __init__(self, alias: str, upload: Upload, *, is_kept: bool = True) -> None:
        name = upload.original_name or NAMELESS
        content_type, _encoding = mimetypes.guess_type(name)
        super().__init__(content_type=content_type, size=upload.length)
        # The property would cut it at 255 characters, which a column does not ask for.
        self._name = name
        self.alias, self.upload, self.is_kept = alias, upload, is_kept

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
        """Go to the beginning; two round trips for a file that is closed."""
        if self.file.closed:
            self._file = self._open_object()
        self.file.seek(0)
        return self

    def close(self) -> None:
        """Close it, and delete what nobody took of what came with this request."""
        if self._file is not None:
            self._file.close()
        if not self.is_kept:
            self.is_kept = True
            remove(self.alias, [self.upload.pk])

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
        `UploadGone`. One round trip.
        """
        if alias != self.alias:
            accepting.require(self.upload)
            return None
        stored_name = staging.adopt(alias, self.upload.pk, original_name)
        self.is_kept = True
        return stored_name

    def _open_object(self) -> DbFileIO:
        file = DbFileIO(self.upload.loid, name=self._name, alias=self.alias)
        if file.size != self.upload.length:  # PostgreSQL gave its number to a stranger's object.
            file.close()
            raise staging.UploadGone(f"the upload {self.upload.pk} is lost: send it again")
        return file


class RefusedFile(UploadedFile):  # type: ignore[type-arg]  # as above
    """In place of a file that was not let in; `problem` is the sentence for its user.

    One that was held back is `staged`, for the page to offer it again; any other is gone. A field
    that knows nothing of it takes it for an empty file, and refuses it. Who reads it all the same
    gets `BadRequest`.
    """

    closed = True

    def __init__(self, name: str, problem: str, staged: StagedFile | None = None) -> None:
        self.problem, self.staged = problem, staged
        super().__init__(content_type="application/octet-stream", size=0)
        self._name = name or NAMELESS

    @property
    def file(self) -> NoReturn:
        raise BadRequest(self.problem)

    @file.setter
    def file(self, file: Any) -> None:
        pass  # `File` has none to give.

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> NoReturn:
        raise BadRequest(self.problem)

    def chunks(self, chunk_size: int | None = None) -> NoReturn:
        raise BadRequest(self.problem)

    def adopt(self, alias: str, original_name: str) -> NoReturn:
        raise BadRequest(self.problem)

    def close(self) -> None:
        if self.staged is not None:
            self.staged.close()


def let_in(file: StagedFile) -> StagedFile | RefusedFile:
    """Return the file, where the hooks of the project let it in, or what tells why they do not."""
    try:
        accepting.let_in(file.alias, file.upload, StagedFile(file.alias, file.upload))
    except accepting.Refused as error:
        return RefusedFile(file.name or "", str(error))
    except accepting.HeldBack as error:
        return RefusedFile(file.name or "", str(error), file)
    return file


def kept_files(
    alias: str, user: Any, named: Mapping[str, Iterable[str]]
) -> dict[str, list[StagedFile | RefusedFile]]:
    """Return the complete uploads of a user that each field of a form names; sealed, and each once.

    What is no longer there, of another user, made up, or named by another field before is a
    `RefusedFile`; so is what has not come whole, and what the hooks do not let in. One round trip,
    and for each that is not sealed those of `staging.seal`.
    """
    ids = {field: list(dict.fromkeys(map(_uuid, texts))) for field, texts in named.items()}
    wanted = {id for those in ids.values() for id in those if id}
    found = staging.find(alias, user, wanted) if wanted else {}
    return {
        field: [_kept_file(alias, found.pop(id, None) if id else None) for id in those]
        for field, those in ids.items()
    }


def _uuid(text: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(text)
    return None


def _kept_file(alias: str, upload: Upload | None) -> StagedFile | RefusedFile:
    if upload is None:
        return RefusedFile("", _("An upload is no longer here. Choose its file again."))
    name = upload.original_name or NAMELESS
    problem = ""
    if not upload.is_complete:
        problem = _("“%s” has not come whole yet.")
    elif not staging.seal(alias, upload):
        problem = _("“%s” came with another content. Send it again.")
    if problem:
        return RefusedFile(name, problem % visible(name))
    return let_in(StagedFile(alias, upload))
