"""What keeps rows and files together by signals, as users of `pg-lo-storage` know it.

These receivers run when an *instance* is saved or deleted, and they delete the file at once, inside
the transaction. `LargeObjectReference` in `models.py` acts at COMMIT, whatever has changed the row:

                                                    receivers    database
    invoice.save(), invoice.delete()                yes          yes
    QuerySet.delete(), deleting the owner           yes          yes
    QuerySet.update(), bulk_update(), raw SQL       no           yes
    a row may only name a file that exists          no           yes
    of two rows that name one file, both
    deleted at the same moment                      no           yes
    two queries more for each row                   yes          no

So the database alone would do, and an application with the constraint needs no such module. The two
together do no harm: a file that a receiver has deleted, the database does not find again, and one
that another row still names, neither deletes. But receivers know their own table alone: where
another one names the same files, a history perhaps, leave them out, or the database refuses what
they do.
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
def invoice_saved(sender, instance, using, update_fields, **kwargs):
    if update_fields is not None and "data" not in update_fields:
        return
    if instance.file_in_row != instance.data.name:
        delete_file(instance.file_in_row, using)


@receiver(post_delete, sender=Invoice)
def invoice_deleted(sender, instance, using, **kwargs):
    delete_file(instance.file_in_row, using)


def delete_file(name, using):
    """Delete a file that a row let go of, unless another row, a copy perhaps, still names it."""
    if name and not Invoice._base_manager.using(using).filter(data=name).exists():
        # Safe inside the transaction: if it is rolled back, the file was never deleted.
        Invoice.data.field.storage.delete(name)
