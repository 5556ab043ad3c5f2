"""What a person sees when a view failed, or middleware, or the page about another error."""

import sys

from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.template import loader
from django.views import defaults

# Not those that a form, or a program, has caused: trying again would change nothing.
AWAY = (OperationalError, InterfaceError, InternalError)


def bad_request(request, exception):
    # A session that could not be saved is for Django one that has ended.
    if answer := _database_away(exception):
        return answer
    if isinstance(exception, SessionInterrupted):  # after the view, which may have saved something
        return HttpResponse(loader.render_to_string("400_signed_out.html"), status=400)
    return defaults.bad_request(request, exception)


def server_error(request):
    error = sys.exception()  # which Django has logged
    if answer := _database_away(error):
        return answer
    # Any other page about an error, of a 404 for instance, reads the form that was sent.
    if isinstance(error, SuspiciousOperation | MultiPartParserError):
        return defaults.bad_request(request, error)
    return defaults.server_error(request)


def _database_away(error):
    """The answer, if an error is one of the database, or came of one."""
    while error is not None and not isinstance(error, AWAY):
        error = error.__context__
    # Without the request: who the user is, the database would have to say.
    return error and HttpResponse(
        loader.render_to_string("503.html"), status=503, headers={"Retry-After": "5"}
    )
