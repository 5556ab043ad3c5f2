from django.db import models

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField


class Document(models.Model):
    """Made and dropped by the fixture `documents`, so that no project has to install a test app."""

    title = models.CharField(max_length=50, default="")
    data = DbFileField(null=True, blank=True)
    scan = DbFileField(null=True, blank=True)

    class Meta:
        app_label = "lo_storage_tests"
        constraints = [
            LargeObjectReference(field="data", name="lo_storage_tests_document_data"),
            LargeObjectReference(field="scan", name="lo_storage_tests_document_scan"),
        ]

    def __str__(self):
        return self.title


class Attachment(models.Model):
    """Another table that names files."""

    data = DbFileField(null=True, blank=True)

    class Meta:
        app_label = "lo_storage_tests"
        constraints = [LargeObjectReference(field="data", name="lo_storage_tests_attachment_data")]

    def __str__(self):
        return self.data.name
