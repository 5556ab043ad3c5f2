"""The site, with addresses of its own for pages that tests need.

Each page about an error, the one that a site begins with, and one that a browser may keep.
"""

from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.shortcuts import render
from django.urls import path
from django.views.csrf import csrf_failure
from django.views.decorators.cache import cache_control
from django.views.generic import TemplateView

from config.uploads import too_much
from config.urls import handler400, handler500  # noqa: F401
from config.urls import urlpatterns as site


def fails_with(error):
    def view(request):
        raise error

    return view


home = TemplateView.as_view(template_name="home.html")

urlpatterns = [
    path("400/", fails_with(SuspiciousOperation)),
    path("signed-out/", fails_with(SessionInterrupted)),
    path("403/", fails_with(PermissionDenied)),
    path("csrf/", csrf_failure),
    path("413/", too_much),
    path("500/", fails_with(LookupError)),
    path("503/", fails_with(OperationalError)),
    path("507/", lambda request: render(request, "507.html", status=507)),
    path("home/", home),
    path("kept/", cache_control(private=True)(home)),
    *site,  # which may have a use for such addresses
]
