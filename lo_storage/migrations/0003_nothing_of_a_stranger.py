from django.db import migrations

# This SQL has run somewhere, so it is never edited: what changes gets a new migration, and a new name.

# A restore may have left out an object, and PostgreSQL given its number to another application's.
# Ours ends where the catalogue says. Of another role's nothing is asked: lo_unlink() refuses it.
UNLINK = """
create function lo_storage_unlink_v3() returns trigger language plpgsql as $$
declare
    unlinked int;
begin
    -- Of what still exists: vacuumlo or an administrator may have been quicker.
    if to_regclass('lolor.pg_largeobject_metadata') is null then
        select case when not pg_has_role(lomowner, 'usage') then pg_catalog.lo_unlink(oid)
                    when length(pg_catalog.lo_get(oid, greatest(old.size - 1, 0), 2))
                         = least(old.size, 1) then pg_catalog.lo_unlink(oid)
                    else 0 end
          into unlinked
          from pg_catalog.pg_largeobject_metadata
         where oid = old.loid;
    else
        execute 'select case when not pg_has_role(lomowner, ''usage'') then lo_unlink(oid)
                             when length(lo_get(oid, greatest($2 - 1, 0), 2)) = least($2, 1)
                             then lo_unlink(oid)
                             else 0 end
                   from lolor.pg_largeobject_metadata where oid = $1'
           into unlinked using old.loid, old.size;
    end if;
    if unlinked = 0 then
        raise warning 'large object % is left alone: it does not end at % bytes', old.loid, old.size
            using hint = 'It may be another application''s.';
    end if;
    return null;
end
$$;

create or replace trigger lo_storage_unlink after delete on lo_storage_largeobject
    for each row execute function lo_storage_unlink_v3();

create function lo_storage_unlink_all_v3() returns trigger language plpgsql as $$
declare
    numbers regclass := coalesce(to_regclass('lolor.pg_largeobject_metadata'),
                                 'pg_catalog.pg_largeobject_metadata');
begin
    execute format('select count(case when not pg_has_role(lomowner, ''usage'') then lo_unlink(oid)
                                      when length(lo_get(oid, greatest(size - 1, 0), 2))
                                           = least(size, 1)
                                      then lo_unlink(oid) end)
                      from %s join %s on loid = oid', numbers, tg_relid::regclass);
    return null;
end
$$;

create or replace trigger lo_storage_unlink_all before truncate on lo_storage_largeobject
    for each statement execute function lo_storage_unlink_all_v3();
"""

UNLINK_BACK = """
create or replace trigger lo_storage_unlink after delete on lo_storage_largeobject
    for each row execute function lo_storage_unlink_v2();
create or replace trigger lo_storage_unlink_all before truncate on lo_storage_largeobject
    for each statement execute function lo_storage_unlink_all_v2();
drop function lo_storage_unlink_v3();
drop function lo_storage_unlink_all_v3();
"""


class Migration(migrations.Migration):
    dependencies = [("lo_storage", "0002_one_rule_for_all_tables")]

    operations = [migrations.RunSQL(UNLINK, UNLINK_BACK)]
