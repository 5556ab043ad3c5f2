"""tus 1.0.0 on Django's views: core, creation (with a first piece), expiration, termination.

The requests are those of a page of the same site: they have its session and its CSRF header. Each
is answered in no transaction.
"""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from django.utils.http import http_date
from django.views import View

from ..database import db_for_write
from . import accepting, bodies, limits, staging, tus
from .files import NAMELESS, StagedFile
from .models import Upload
from .refusing import read_on, unavailable
from .removing import remove

STATUS = {
    "MAX_SIZE": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "QUOTA_NUMBER": HTTPStatus.TOO_MANY_REQUESTS,
    "QUOTA_SIZE": HTTPStatus.INSUFFICIENT_STORAGE,
}


class Refused(Exception):
    """A request is answered by a status and a sentence."""

    def __init__(self, status: int, sentence: str, **headers: Any) -> None:
        super().__init__(sentence)
        self.response = HttpResponse(f"{sentence}\n", content_type="text/plain", status=status)
        for header, value in headers.items():
            self.response.headers[header.replace("_", "-")] = str(value)


class TusView(View):
    """What all requests of the protocol have in common."""

    http_method_names = ["options", "get", "post", "head", "patch", "delete"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = self._answer(request, *args, **kwargs)
        except Refused as refused:
            read_on(request)
            response = refused.response
        except tus.Malformed as error:
            read_on(request)
            response = Refused(HTTPStatus.BAD_REQUEST, str(error)).response
        except bodies.BrokenOff:
            # What has come is stored: whoever asks for it goes on there.
            response = Refused(HTTPStatus.REQUEST_TIMEOUT, "The request broke off.").response
        except (OperationalError, InterfaceError) as error:
            read_on(request)
            return unavailable(error)
        response.headers["Tus-Resumable"] = tus.VERSION
        response.headers["Cache-Control"] = "no-store"
        if request.user.is_authenticated:
            response.headers["Upload-Owner"] = _opaque(request.user.pk)
        return response

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            raise _signed_out()
        method = request.method or ""
        if method == "POST":  # Of no other, whose CSRF header Django has not asked for.
            method = request.headers.get("X-HTTP-Method-Override", method).upper()
        if method != "OPTIONS" and request.headers.get("Tus-Resumable") != tus.VERSION:
            raise Refused(
                HTTPStatus.PRECONDITION_FAILED,
                f"This server speaks tus {tus.VERSION}: send Tus-Resumable: {tus.VERSION}.",
                Tus_Version=tus.VERSION,
            )
        name = method.lower()
        handler: Callable[..., HttpResponseBase] | None = getattr(self, name, None)
        if name not in self.http_method_names or handler is None:
            return self.http_method_not_allowed(request)
        return handler(request, *args, **kwargs)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return HttpResponse(
            status=HTTPStatus.NO_CONTENT,
            headers={
                "Tus-Version": tus.VERSION,
                "Tus-Extension": tus.EXTENSIONS,
                "Tus-Max-Size": str(limits.largest()),
            },
        )


class CreateView(TusView):
    """`POST` stages an upload, with the bytes that it brings, and answers where to send more.

    `GET`, which is no part of tus, lists what its user has staged: JSON.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        uploads = [
            {
                "id": upload.pk,
                "name": upload.original_name or NAMELESS,
                "length": upload.length,
                "received": upload.received,
                "expires": upload.expires_at,
            }
            for upload in staging.staged(db_for_write(), request.user)
        ]
        return JsonResponse({"uploads": uploads})

    def post(self, request: HttpRequest) -> HttpResponse:
        length = tus.number("Upload-Length", request.headers.get("Upload-Length"))
        brought = 0
        if request.content_type == tus.CONTENT_TYPE:
            brought = tus.number("Content-Length", request.headers.get("Content-Length") or "0")
        if brought > length:
            raise _too_much(length)
        names = tus.metadata(request.headers.get("Upload-Metadata", ""))
        sha256 = tus.expected_sha256(request.headers.get("Repr-Digest", ""))
        alias = db_for_write()
        try:
            upload = staging.create(alias, request.user, length, names.get("filename", ""), sha256)
        except limits.LimitExceeded as error:
            raise Refused(STATUS[error.setting], str(error)) from error
        except get_user_model().DoesNotExist as error:
            raise _signed_out() from error
        with ExitStack() as failing:
            failing.callback(remove, alias, [upload.pk])  # Nobody has been told its address.
            if length == 0:  # No piece will come.
                _seal(alias, upload)
            if brought:
                _receive(request, upload, brought)
            failing.pop_all()
        # Relative: behind a proxy the site may not know under which address it is reached. To the
        # last slash, which some clients leave out.
        place = f"{request.path.rpartition('/')[2]}/{upload.pk}/".removeprefix("/")
        response = HttpResponse(status=HTTPStatus.CREATED, headers={"Location": place})
        return _with_state(response, upload)


class UploadView(TusView):
    """`HEAD` tells where to go on, `PATCH` does, and `DELETE` ends an upload."""

    def head(self, request: HttpRequest, id: UUID) -> HttpResponse:
        upload = _claim(request, id)
        response = HttpResponse(status=HTTPStatus.OK)
        response.headers["Upload-Length"] = str(upload.length)
        return _with_state(response, upload)

    def patch(self, request: HttpRequest, id: UUID) -> HttpResponse:
        if request.content_type != tus.CONTENT_TYPE:
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send it as Content-Type: {tus.CONTENT_TYPE}."
            )
        offset = tus.number("Upload-Offset", request.headers.get("Upload-Offset"))
        if not request.headers.get("Content-Length"):
            # Django reads no body of unknown length, and says nothing.
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length.")
        length = tus.number("Content-Length", request.headers["Content-Length"])
        upload = _claim(request, id, offset)
        if upload.length is None or offset + length > upload.length:
            raise _too_much(upload.length)
        _receive(request, upload, length)
        return _with_state(HttpResponse(status=HTTPStatus.NO_CONTENT), upload)

    def delete(self, request: HttpRequest, id: UUID) -> HttpResponse:
        remove(db_for_write(), [_claim(request, id).pk])
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _receive(request: HttpRequest, upload: Upload, length: int) -> None:
    alias = db_for_write()
    # Of what began at 0 in this request; of another the pieces are read again at the end.
    sha256 = None if upload.received else hashlib.sha256()
    for piece in bodies.pieces(request, upload.received, length):
        try:
            staging.append(alias, upload, piece)
        except staging.Superseded as error:
            if staging.find(alias, request.user, [upload.pk]):
                problem = Refused(HTTPStatus.CONFLICT, "Another request goes on with it.")
            else:
                problem = _not_found()
            raise problem from error
        if sha256:
            sha256.update(piece)
    if upload.is_complete:
        _seal(alias, upload, sha256.hexdigest() if sha256 else None)


def _seal(alias: str, upload: Upload, sha256: str | None = None) -> None:
    """Seal it, and ask the hooks: now, while others still come, and not when the form is sent."""
    if not staging.seal(alias, upload, sha256):
        raise _another_content()
    try:
        accepting.let_in(alias, upload, StagedFile(alias, upload))
    except accepting.Refused as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    except accepting.HeldBack:
        pass  # It has come whole. The form asks again, and has a field to tell it at.


def _claim(request: HttpRequest, id: UUID, offset: int | None = None) -> Upload:
    upload = staging.claim(db_for_write(), request.user, id, offset)
    if upload is not None:
        return upload
    if offset is not None and (found := staging.find(db_for_write(), request.user, [id])):
        goes_on = found[id].received
        raise Refused(
            HTTPStatus.CONFLICT,
            f"The upload goes on at {goes_on}, and not at {offset}.",
            Upload_Offset=goes_on,
        )
    raise _not_found()


def _not_found() -> Refused:
    # None, another user's, expired, saved, or lost: one answer for all.
    return Refused(HTTPStatus.NOT_FOUND, "There is no such upload.")


def _signed_out() -> Refused:
    # No redirect to a page of HTML, which a client would take for an upload.
    return Refused(
        HTTPStatus.UNAUTHORIZED,
        "You are signed out. Sign in again: the upload then goes on.",
        WWW_Authenticate="Session",
    )


def _with_state(response: HttpResponse, upload: Upload) -> HttpResponse:
    response.headers["Upload-Offset"] = str(upload.received)
    response.headers["Upload-Expires"] = http_date(upload.expires_at.timestamp())
    return response


def _too_much(length: int | None) -> Refused:
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The upload was to have {length} bytes, and gets more.",
    )


def _opaque(key: Any) -> str:
    # A page compares it: who is signed in now may not be who has begun.
    hmac = salted_hmac("lo_storage.uploads.owner", str(key), algorithm="sha256")
    return hmac.hexdigest()[:16]


def _another_content() -> Refused:
    # The extension "checksum" of tus has this status for it; the upload is gone.
    return Refused(460, "What came has another SHA-256 than was said. Send the file again.")
