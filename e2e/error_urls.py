"""The site, with an address for each page about an error, and for the one it begins without."""

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.shortcuts import render
from django.urls import path
from django.views.csrf import csrf_failure
from django.views.generic import TemplateView

from config.uploads import too_much
from config.urls import handler400, handler500  # noqa: F401
from config.urls import urlpatterns as site


def fails_with(error):
    def view(request):
        raise error

    return view


urlpatterns = [
    path("400/", fails_with(SuspiciousOperation)),
    path("403/", fails_with(PermissionDenied)),
    path("csrf/", csrf_failure),
    path("413/", too_much),
    path("500/", fails_with(LookupError)),
    path("503/", fails_with(OperationalError)),
    path("507/", lambda request: render(request, "507.html", status=507)),
    path("home/", TemplateView.as_view(template_name="home.html")),
    *site,  # which may have a use for such addresses
]
