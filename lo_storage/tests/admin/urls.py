"""An admin of the tests' own, whatever the project's has."""

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth import get_user_model
from django.urls import path

from lo_storage.admin import LargeObjectAdmin
from lo_storage.models import LargeObject

from ..models import Document


class Site(AdminSite):
    def get_app_list(self, request, app_label=None):
        return []  # The tests' models are of no app that is installed.


site = Site()
site.register(LargeObject, LargeObjectAdmin)
site.register(Document, ModelAdmin)
site.register(get_user_model(), ModelAdmin)

urlpatterns = [path("admin/", site.urls)]
