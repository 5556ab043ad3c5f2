from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.http import HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView, TemplateView


def healthz(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("healthz/", healthz),
    # Where guesses of the old one are counted
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", admin.site.urls),
    path("accounts/", include("config.accounts")),
    path("uploads/", include("lo_storage.uploads.urls")),
    path("x-accel/", include("lo_storage.accel")),  # for nginx alone
    path("", include("invoices.urls")),
    # What "/" shows as long as no application above has a page there.
    path("", TemplateView.as_view(template_name="home.html"), name="home"),
]

handler400 = "config.errors.bad_request"
handler500 = "config.errors.server_error"

if "debug_toolbar" in settings.INSTALLED_APPS:
    from debug_toolbar.toolbar import debug_toolbar_urls

    urlpatterns += debug_toolbar_urls()
