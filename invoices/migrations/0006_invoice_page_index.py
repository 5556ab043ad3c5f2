from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0005_search_text_index")]

    operations = [
        migrations.AddIndex(
            "invoice",
            models.Index(fields=["owner", "-issued", "-id"], name="invoices_invoice_page"),
        ),
    ]
