"""`NamedUpload`: a schema of django-ninja takes an upload in place of a file.

Nothing else imports this module, and nothing here is needed without the package.
"""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from ninja.errors import HttpError
from pydantic import PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from .apis import named_file
from .files import StagedFile

__all__ = ["NamedUpload"]


def _named(value: Any, info: ValidationInfo) -> StagedFile:
    context: Any = info.context  # ninja's, of one request
    named = context.setdefault("named_uploads", set())
    conflict = partial(HttpError, HTTPStatus.CONFLICT)
    try:
        return named_file(context["request"].user, str(value), named, conflict)
    except ValueError as error:
        raise PydanticCustomError("upload", "{sentence}", {"sentence": str(error)}) from error


# In a schema: the id of a complete upload of the request's user comes in, and a file is there. What
# it takes is refused like any wrong value, by status 422; what another request takes before this
# one saves it, by 409. Not for an `async` operation: it asks the database.
NamedUpload = Annotated[
    StagedFile, PlainValidator(_named), WithJsonSchema({"type": "string", "format": "uuid"})
]
