from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0002_invoice_data_reference")]

    operations = [
        migrations.AddField(
            "invoice", "sent", models.UUIDField(null=True, editable=False, db_index=True)
        ),
    ]
