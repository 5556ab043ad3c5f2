"""An upload that a request of an API names by its id, in place of a file: for any framework."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from ..database import db_for_write
from ..templatetags.lo_storage import visible
from .files import RefusedFile, StagedFile, kept_files
from .staging import UploadGone

type Gone = Callable[[str], Exception]


class NamedFile(StagedFile):
    """One that another request may take before this one saves it.

    Arguments: `gone` makes of a sentence the error that the framework answers.
    """

    def __init__(self, file: StagedFile, gone: Gone) -> None:
        super().__init__(file.alias, file.upload)
        self.gone = gone

    def adopt(self, alias: str, original_name: str) -> str | None:
        try:
            return super().adopt(alias, original_name)
        except UploadGone as error:
            raise self.gone(str(error)) from error


def named_file(user: Any, id: str, named: set[UUID], gone: Gone) -> NamedFile:
    """Return the complete upload of a user.

    Arguments:

    - `named`: what this request has named before; the upload joins it.
    - `gone`: as above.

    Raises `ValueError`, with a sentence for the user, for what is not there, another user's,
    incomplete, or named before. Round trips: those of `kept_files`.
    """
    ((file,),) = kept_files(db_for_write(), user, {"": [id]}).values()
    if isinstance(file, RefusedFile):
        raise ValueError(file.problem)
    if file.id in named:
        raise ValueError(_("“%s” is named twice, and can be saved once.") % visible(file.name))
    named.add(file.id)
    return NamedFile(file, gone)
