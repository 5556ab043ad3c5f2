from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lo_storage_uploads", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="let_in_by",
            field=models.TextField(null=True),
        ),
    ]
