from django.core.files.storage import FileSystemStorage
from django.db import models

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField, DbImageField
from lo_storage.models import OidField


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


class PictureBase(models.Model):
    """What Django's fields and ours share, for tests that hold for both."""

    title = models.CharField(max_length=50, default="", blank=True)
    width = models.IntegerField(null=True, editable=False)
    height = models.IntegerField(null=True, editable=False)

    class Meta:
        abstract = True
        app_label = "lo_storage_tests"

    def __str__(self):
        return self.title


class PictureOnDisk(PictureBase):
    """Django's own fields: the judge."""

    data = models.FileField(storage=FileSystemStorage(), null=True, blank=True)
    image = models.ImageField(
        storage=FileSystemStorage(),
        width_field="width",
        height_field="height",
        null=True,
        blank=True,
    )


class Picture(PictureBase):
    data = DbFileField(null=True, blank=True)
    image = DbImageField(width_field="width", height_field="height", null=True, blank=True)

    class Meta(PictureBase.Meta):
        constraints = [
            LargeObjectReference(field="data", name="lo_storage_tests_picture_data"),
            LargeObjectReference(field="image", name="lo_storage_tests_picture_image"),
        ]


class Letter(models.Model):
    """What has its file in one of several places, and no reference that would refuse the others."""

    title = models.CharField(max_length=50, default="")
    data = DbFileField(null=True, blank=True, upload_to="letters", max_length=500)
    scan = models.FileField(storage=FileSystemStorage(), blank=True, max_length=500)
    content = models.BinaryField(null=True)
    number = OidField(null=True)

    class Meta:
        app_label = "lo_storage_tests"

    def __str__(self):
        return self.title


def contents(rows):
    """What is in the files that rows name by now."""
    found = []
    for row in rows:
        row.refresh_from_db()
        with row.data.open() as file:
            found.append(file.read())
    return found
