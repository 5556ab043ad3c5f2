"""The site, with addresses of its own for pages that tests need.

Each page about an error, the one that a site begins with, and one that a browser may keep.
"""

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.urls import path
from django.views.csrf import csrf_failure
from django.views.decorators.cache import cache_control
from django.views.generic import TemplateView

from config.urls import urlpatterns as site


def fails_with(error):
    def view(request):
        raise error

    return view


home = TemplateView.as_view(template_name="home.html")

urlpatterns = [
    path("400/", fails_with(SuspiciousOperation)),
    path("403/", fails_with(PermissionDenied)),
    path("csrf/", csrf_failure),
    path("500/", fails_with(LookupError)),
    path("home/", home),
    path("kept/", cache_control(private=True)(home)),
    *site,  # which may have a use for such addresses
]
