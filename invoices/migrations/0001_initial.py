import datetime

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import lo_storage.fields
import lo_storage.storage


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.CharField(max_length=32)),
                ("title", models.CharField(max_length=200)),
                (
                    "amount",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="Leave it empty while it is not known.",
                        max_digits=12,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(
                                0, "The amount cannot be negative."
                            )
                        ],
                        verbose_name="amount in EUR",
                    ),
                ),
                (
                    "issued",
                    models.DateField(default=datetime.date.today, verbose_name="date of issue"),
                ),
                (
                    "data",
                    lo_storage.fields.DbFileField(
                        blank=True,
                        null=True,
                        storage=lo_storage.storage.DbFileStorage("/file"),
                        upload_to="",
                        verbose_name="file",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="uploaded")),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invoices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-issued", "-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "number"),
                        name="invoices_invoice_number",
                        violation_error_message="You have another invoice with this number.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)),
                        name="invoices_invoice_amount",
                        violation_error_message="The amount cannot be negative.",
                    ),
                ],
            },
        ),
    ]
