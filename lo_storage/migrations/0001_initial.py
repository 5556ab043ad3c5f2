from typing import Any

from django.db import NotSupportedError, migrations, models

from lo_storage.migrating import referencing_migrations
from lo_storage.models import OidField


def require_postgresql(apps: Any, schema_editor: Any) -> None:
    alias, vendor = schema_editor.connection.alias, schema_editor.connection.vendor
    if vendor != "postgresql":
        raise NotSupportedError(
            f"lo_storage needs PostgreSQL, and the database {alias!r} is {vendor}; keep the app"
            " 'lo_storage', and the models with a LargeObjectReference, out of it by a database"
            " router's allow_migrate()"
        )


# This SQL has run somewhere, so it is never edited: what changes gets a new migration, and a new name.

# A stored name begins with its own number, and no two rows can claim one object.
NAMES = """
alter table lo_storage_largeobject add constraint lo_storage_largeobject_name_of_loid
    check (split_part(name, '.', 1) = loid::text)
"""

UNLINK = """
create function lo_storage_unlink_v1() returns trigger language plpgsql as $$
begin
    -- Of what still exists: vacuumlo or an administrator may have been quicker.
    perform pg_catalog.lo_unlink(oid) from pg_catalog.pg_largeobject_metadata where oid = old.loid;
    return null;
end
$$;

create trigger lo_storage_unlink after delete on lo_storage_largeobject
    for each row execute function lo_storage_unlink_v1();

create function lo_storage_unlink_all_v1() returns trigger language plpgsql as $$
declare
    loids oid[];
begin
    execute format('select array_agg(loid) from %s', tg_relid::regclass) into loids;
    perform pg_catalog.lo_unlink(oid)
       from pg_catalog.pg_largeobject_metadata
      where oid = any (loids);
    return null;
end
$$;

create trigger lo_storage_unlink_all before truncate on lo_storage_largeobject
    for each statement execute function lo_storage_unlink_all_v1();
"""

DROP_UNLINK = """
drop trigger lo_storage_unlink_all on lo_storage_largeobject;
drop function lo_storage_unlink_all_v1();
drop trigger lo_storage_unlink on lo_storage_largeobject;
drop function lo_storage_unlink_v1();
"""

RELEASE = """
create function lo_storage_release_v1() returns trigger language plpgsql as $$
declare
    catalogue regclass;
    -- A row may move to another partition, or have its copy there.
    naming regclass := coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid);
    file_column name;
    old_name text;
    new_name text;
    is_named boolean;
begin
    select confrelid, attname into catalogue, file_column
      from pg_catalog.pg_constraint
      join pg_catalog.pg_attribute on attrelid = conrelid and attnum = conkey[1]
     where conrelid = tg_relid and contype = 'f' and conname = tg_argv[0];
    if not found then
        raise exception 'trigger % of table % misses its foreign key %',
            quote_ident(tg_name), tg_relid::regclass, quote_ident(tg_argv[0])
            using hint = 'Drop the trigger, or add the constraint again by a migration.';
    end if;

    execute format('select ($1).%I', file_column) into old_name using old;
    if tg_op = 'UPDATE' then
        execute format('select ($1).%I', file_column) into new_name using new;
    end if;
    if old_name is null or old_name = new_name then
        return null;
    end if;

    -- Wait for a transaction that has begun to name the file, and then see what it committed.
    execute format('select name from %s where name = $1 for update', catalogue) using old_name;

    for file_column in
        select attname
          from pg_catalog.pg_constraint
          join pg_catalog.pg_attribute on attrelid = conrelid and attnum = conkey[1]
         where conrelid = tg_relid and contype = 'f' and confrelid = catalogue
    loop
        execute format('select exists (select from %s where %I = $1)',
                       naming, file_column)
           into is_named using old_name;
        if is_named then
            -- Under REPEATABLE READ another transaction may let go of that last name now. It must
            -- fail to serialize, and a lock alone leaves nothing to conflict with: write the row.
            execute format('update %s set version = version where name = $1', catalogue)
              using old_name;
            return null;
        end if;
    end loop;

    execute format('delete from %s where name = $1', catalogue) using old_name;
    return null;
end
$$;
"""

# Run before anything is dropped.
KEEP_FILES = """
do $$
begin
    if exists (select from lo_storage_largeobject) then
        raise exception 'there are files in lo_storage_largeobject, which would be out of reach'
            using hint = 'Delete them, or move them elsewhere, before you migrate to zero.';
    end if;
end
$$;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    # A migration that adds a LargeObjectReference must run after this one. The autodetector gives it
    # no such dependency, because a constraint is no relational field.
    run_before = list(referencing_migrations())

    operations = [
        migrations.RunPython(require_postgresql, migrations.RunPython.noop),
        migrations.CreateModel(
            name="LargeObject",
            fields=[
                (
                    "loid",
                    OidField(primary_key=True, serialize=False, verbose_name="large object"),
                ),
                (
                    "name",
                    models.TextField(
                        help_text="What a file field stores: “16418.pdf”.", verbose_name="name"
                    ),
                ),
                ("original_name", models.TextField(blank=True, verbose_name="original name")),
                (
                    "size",
                    models.PositiveBigIntegerField(help_text="In bytes.", verbose_name="size"),
                ),
                (
                    "sha256",
                    models.CharField(
                        blank=True,
                        help_text="Unknown after a part of the content was overwritten.",
                        max_length=64,
                        null=True,
                        verbose_name="SHA-256",
                    ),
                ),
                ("version", models.PositiveBigIntegerField(default=1, verbose_name="version")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("modified_at", models.DateTimeField(verbose_name="modified at")),
            ],
            options={
                "verbose_name": "large object",
                "verbose_name_plural": "large objects",
                "constraints": [
                    models.UniqueConstraint(fields=["name"], name="lo_storage_largeobject_name")
                ],
            },
        ),
        migrations.RunSQL(
            NAMES,
            "alter table lo_storage_largeobject"
            " drop constraint lo_storage_largeobject_name_of_loid",
        ),
        migrations.RunSQL(UNLINK, DROP_UNLINK),
        migrations.RunSQL(RELEASE, KEEP_FILES + "drop function lo_storage_release_v1();"),
    ]
