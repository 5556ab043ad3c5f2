"""`UploadField`: a serializer of Django REST framework takes an upload in place of a file.

Nothing else imports this module, and nothing here is needed without the package.
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.exceptions import APIException

from .apis import named_file
from .files import RefusedFile

__all__ = ["UploadField"]


class Conflict(APIException):
    """Another request took the upload before this one could."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


class UploadField(serializers.FileField):
    """A file, or the id of a complete upload of the request's user.

    What it takes is refused like any wrong value, by status 400; what another request takes before
    this one saves it, by 409. The serializer needs the request in its context, which the generic
    views give it.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and data:
            # Of one serializer, with all that are nested in it
            named: set[UUID] = self.root.__dict__.setdefault("_named_uploads", set())
            try:
                data = named_file(self.context["request"].user, data, named, Conflict)
            except ValueError as error:
                raise serializers.ValidationError(str(error), code="upload") from error
        if isinstance(data, RefusedFile):
            raise serializers.ValidationError(data.problem, code="upload")
        return super().to_internal_value(data)
