"""A table without a reference, which keeps its files by signals, as in pg-lo-storage's README."""

from django.db import models
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver

from lo_storage.fields import DbFileField

# What its files are called. Where two sessions replace one, signals may leave the first behind.
FILE_NAME = "letter.txt"


class Letter(models.Model):
    data = DbFileField(null=True, blank=True)

    class Meta:
        app_label = "trials"

    def __str__(self):
        return self.data.name


@receiver([pre_save, pre_delete], sender=Letter)
def remember_file(sender, instance, **kwargs):
    rows = Letter.objects.filter(pk=instance.pk)
    instance.file_in_row = rows.values_list("data", flat=True).first()


@receiver([post_save, post_delete], sender=Letter)
def delete_file(sender, instance, signal, **kwargs):
    old = instance.file_in_row
    if old and (signal is post_delete or old != instance.data.name):
        Letter.data.field.storage.delete(old)
