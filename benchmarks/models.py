from django.db import models


class Blob(models.Model):  # noqa: DJ008  # nobody sees it
    """A file in a column, as Django offers it."""

    content = models.BinaryField()

    class Meta:
        app_label = "benchmarks"
