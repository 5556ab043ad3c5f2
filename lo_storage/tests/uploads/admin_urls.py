"""An admin whose forms take uploads, whatever the project's has."""

from django.contrib.admin import AdminSite, ModelAdmin, TabularInline
from django.db import models
from django.urls import include, path

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField
from lo_storage.uploads.admin import TakesUploads

from ..models import Document, Picture


class Page(models.Model):
    """What has its own file, and belongs to a document."""

    # Of other tests, which have no such table, none is asked for it.
    document = models.ForeignKey(Document, models.DO_NOTHING)
    title = models.CharField(max_length=5)
    data = DbFileField(null=True, blank=True)

    class Meta:
        app_label = "lo_storage_tests_uploads"
        constraints = [LargeObjectReference(field="data", name="lo_storage_tests_page_data")]

    def __str__(self):
        return self.title


class PageInline(TakesUploads, TabularInline):
    model = Page
    extra = 1


class DocumentAdmin(TakesUploads, ModelAdmin):
    inlines = [PageInline]


class PictureAdmin(TakesUploads, ModelAdmin):
    pass


class Site(AdminSite):
    def get_app_list(self, request, app_label=None):
        return []  # The tests' models are of no app that is installed.


site = Site()
site.register(Document, DocumentAdmin)
site.register(Picture, PictureAdmin)

urlpatterns = [
    path("admin/", site.urls),
    path("uploads/", include("lo_storage.uploads.urls")),
]
