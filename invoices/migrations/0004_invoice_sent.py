from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0003_invoice_search_text")]

    operations = [
        migrations.AddField(
            "invoice", "sent", models.UUIDField(null=True, editable=False, db_index=True)
        ),
    ]
