import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import lo_storage.models

# This SQL has run somewhere, so it is never edited: what changes gets a new migration, and a new name.

# An object that the catalogue has by now is a file: its row deletes it. One that does not end where
# the row says is a stranger's, to whom PostgreSQL gave the number after a restore without objects.
UNLINK = """
create function lo_storage_unstage_v1() returns trigger language plpgsql as $$
declare
    catalogue regclass := format('%I.lo_storage_largeobject', tg_table_schema);
    numbers regclass := coalesce(to_regclass('lolor.pg_largeobject_metadata'),
                                 'pg_catalog.pg_largeobject_metadata');
begin
    execute format('select lo_unlink(oid) from %s where oid = $1'
                   ' and length(lo_get(oid, greatest($2 - 1, 0), 2)) = least($2, 1)'
                   ' and not exists (select from %s where loid = $1)', numbers, catalogue)
      using old.loid, old.received;
    return null;
end
$$;

create trigger lo_storage_unstage after delete on lo_storage_uploads_upload
    for each row execute function lo_storage_unstage_v1();

create function lo_storage_unstage_all_v1() returns trigger language plpgsql as $$
declare
    catalogue regclass := format('%I.lo_storage_largeobject', tg_table_schema);
    numbers regclass := coalesce(to_regclass('lolor.pg_largeobject_metadata'),
                                 'pg_catalog.pg_largeobject_metadata');
begin
    execute format('select count(lo_unlink(oid)) from %s join %s on loid = oid'
                   ' where length(lo_get(oid, greatest(received - 1, 0), 2)) = least(received, 1)'
                   ' and not exists (select from %s catalogue where catalogue.loid = oid)',
                   numbers, tg_relid::regclass, catalogue);
    return null;
end
$$;

create trigger lo_storage_unstage_all before truncate on lo_storage_uploads_upload
    for each statement execute function lo_storage_unstage_all_v1();
"""

UNLINK_BACK = """
delete from lo_storage_uploads_upload;
drop trigger lo_storage_unstage_all on lo_storage_uploads_upload;
drop function lo_storage_unstage_all_v1();
drop trigger lo_storage_unstage on lo_storage_uploads_upload;
drop function lo_storage_unstage_v1();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("lo_storage", "0002_one_rule_for_all_tables"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Upload",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("loid", lo_storage.models.OidField(unique=True, verbose_name="large object")),
                ("original_name", models.TextField(blank=True, verbose_name="original name")),
                ("length", models.PositiveBigIntegerField(null=True, verbose_name="length")),
                ("received", models.PositiveBigIntegerField(default=0, verbose_name="received")),
                ("epoch", models.PositiveBigIntegerField(default=0)),
                ("sha256", models.CharField(max_length=64, null=True, verbose_name="SHA-256")),
                ("expected_sha256", models.CharField(max_length=64, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "upload",
                "verbose_name_plural": "uploads",
            },
        ),
        migrations.RunSQL(UNLINK, UNLINK_BACK),
    ]
