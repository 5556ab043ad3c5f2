"""The site, with an address for each page about an error."""

from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.shortcuts import render
from django.urls import path
from django.views.csrf import csrf_failure

from config.urls import urlpatterns as site


def fails_with(error):
    def view(request):
        raise error

    return view


def too_large(request):
    context = {"max_files": settings.INVOICE_MAX_BATCH_FILES}
    return render(request, "413.html", context, status=413)


urlpatterns = [
    path("400/", fails_with(SuspiciousOperation)),
    path("403/", fails_with(PermissionDenied)),
    path("csrf/", csrf_failure),
    path("413/", too_large),
    path("500/", fails_with(LookupError)),
    *site,  # whose "<int:pk>/" would take these for invoices
]
