"""The site, with an address for each page about an error, and for the one it begins without."""

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.urls import path
from django.views.csrf import csrf_failure
from django.views.generic import TemplateView

from config.urls import urlpatterns as site


def fails_with(error):
    def view(request):
        raise error

    return view


urlpatterns = [
    path("400/", fails_with(SuspiciousOperation)),
    path("403/", fails_with(PermissionDenied)),
    path("csrf/", csrf_failure),
    path("500/", fails_with(LookupError)),
    path("home/", TemplateView.as_view(template_name="home.html")),
    *site,  # which may have a use for such addresses
]
