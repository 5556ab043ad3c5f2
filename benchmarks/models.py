from django.db import models

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField


class Blob(models.Model):  # noqa: DJ008  # nobody sees it
    """A file in a column, as Django offers it."""

    content = models.BinaryField()

    class Meta:
        app_label = "benchmarks"


class Paper(models.Model):  # noqa: DJ008  # nobody sees it
    """A row that names a file, and a column that has nothing to do with it."""

    views = models.IntegerField(default=0)
    file = DbFileField(null=True)

    class Meta:
        app_label = "benchmarks"
        constraints = [LargeObjectReference(field="file", name="benchmarks_paper_file")]


class FreePaper(models.Model):  # noqa: DJ008  # nobody sees it
    """The same table, of whose files the database knows nothing."""

    views = models.IntegerField(default=0)
    file = models.CharField(max_length=100, null=True)  # noqa: DJ001  # as the other

    class Meta:
        app_label = "benchmarks"
