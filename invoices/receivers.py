"""What keeps rows and files together by signals, as users of `pg-lo-storage` know it.

These receivers run when an *instance* is saved or deleted, and they delete the file at once, inside
the transaction. `LargeObjectReference` in `models.py` acts at COMMIT, whatever has changed the row:

                                                    receivers    database
    invoice.save(), invoice.delete()                yes          yes
    QuerySet.delete(), deleting the owner           yes          yes
    QuerySet.update(), bulk_update(), raw SQL       no           yes
    a row may only name a file that exists          no           yes
    a query more for each row                       yes          no

So the database alone would do, and an application with the constraint needs no such module. The two
together do no harm: a file that a receiver has deleted, the database does not find again.
"""

from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver

from .models import Invoice


@receiver([pre_save, pre_delete], sender=Invoice)
def remember_file(sender, instance, using, **kwargs):
    # Asked of the row. The instance may have another name by now, an older one, or none loaded.
    rows = sender._base_manager.using(using).filter(pk=instance.pk)
    instance.file_in_row = rows.values_list("data", flat=True).first()


@receiver(post_save, sender=Invoice)
def invoice_saved(sender, instance, update_fields, **kwargs):
    if update_fields is not None and "data" not in update_fields:
        return
    # Safe inside the transaction: if it is rolled back, the file was never deleted.
    if instance.file_in_row and instance.file_in_row != instance.data.name:
        Invoice.data.field.storage.delete(instance.file_in_row)


@receiver(post_delete, sender=Invoice)
def invoice_deleted(sender, instance, **kwargs):
    if instance.file_in_row:
        Invoice.data.field.storage.delete(instance.file_in_row)
