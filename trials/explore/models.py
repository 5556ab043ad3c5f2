"""A table without a reference, which keeps its files by signals, as in pg-lo-storage's README."""

from typing import Any

from django.db import models
from django.db.models.signals import ModelSignal, post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver

from lo_storage.fields import DbFileField

# What its files are called. Where two sessions replace one, signals may leave the first behind.
FILE_NAME = "letter.txt"


class Letter(models.Model):
    data = DbFileField(null=True, blank=True)
    file_in_row: str | None  # before it is saved

    class Meta:
        app_label = "trials"

    def __str__(self) -> str:
        return str(self.data.name)


@receiver([pre_save, pre_delete], sender=Letter)
def remember_file(sender: type[Letter], instance: Letter, **kwargs: Any) -> None:
    rows = Letter._default_manager.filter(pk=instance.pk)
    instance.file_in_row = rows.values_list("data", flat=True).first()


@receiver([post_save, post_delete], sender=Letter)
def delete_file(sender: type[Letter], instance: Letter, signal: ModelSignal, **kwargs: Any) -> None:
    old = instance.file_in_row
    if old and (signal is post_delete or old != instance.data.name):
        Letter.data.field.storage.delete(old)
