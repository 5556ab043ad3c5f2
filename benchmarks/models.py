from django.db import models

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField


class Blob(models.Model):  # noqa: DJ008  # nobody sees it
    """A file in a column, as Django offers it."""

    content = models.BinaryField()

    class Meta:
        app_label = "benchmarks"


class Paper(models.Model):  # noqa: DJ008  # nobody sees it
    """A row that names a file, and has a column that the file is nothing to."""

    views = models.IntegerField(default=0)
    file = DbFileField(null=True)

    class Meta:
        app_label = "benchmarks"
        constraints = [LargeObjectReference(field="file", name="benchmarks_paper_file")]


class PlainPaper(models.Model):  # noqa: DJ008  # nobody sees it
    """The same table, to which a file's name is a text."""

    views = models.IntegerField(default=0)
    file = models.CharField(max_length=100, null=True)  # noqa: DJ001  # as the other

    class Meta:
        app_label = "benchmarks"


class IndexedPaper(models.Model):  # noqa: DJ008  # nobody sees it
    """The same table with the index that a foreign key needs."""

    views = models.IntegerField(default=0)
    file = models.CharField(max_length=100, null=True)  # noqa: DJ001  # as the other

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["file"], name="benchmarks_indexed_file")]
