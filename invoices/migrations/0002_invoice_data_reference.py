"""What the database enforces, and nothing else: this is the file to copy into your own app.

`manage.py makemigrations` writes it, once the constraint stands in `Invoice.Meta`.
"""

from django.db import migrations

from lo_storage.constraints import LargeObjectReference


class Migration(migrations.Migration):
    dependencies = [("invoices", "0001_initial")]

    operations = [
        migrations.AddConstraint(
            "invoice", LargeObjectReference(field="data", name="invoices_invoice_data")
        ),
    ]
