from django.db import migrations

# This SQL has run somewhere, so it is never edited: what changes gets a new migration, and a new name.

# The one rule: a file goes when no row of any table names it. A table that names files is one with a
# foreign key to the catalogue's name.
RELEASE = """
create function lo_storage_release_v2(catalogue regclass, old_name text, new_name text)
returns void language plpgsql as $$
declare
    naming regclass;
    file_column name;
    is_named boolean;
begin
    if old_name is null or old_name = new_name then
        return;
    end if;

    -- Wait for a transaction that has begun to name the file, and then see what it committed.
    execute format('select name from %s where name = $1 for update', catalogue) using old_name;

    for naming, file_column in
        -- A row may move to another partition, or have its copy there.
        select distinct coalesce(pg_catalog.pg_partition_root(conrelid), conrelid)::regclass,
               namer.attname
          from pg_catalog.pg_constraint
          join pg_catalog.pg_attribute namer on namer.attrelid = conrelid and namer.attnum = conkey[1]
          join pg_catalog.pg_attribute named on named.attrelid = confrelid
                                            and array[named.attnum] = confkey
         where contype = 'f' and confrelid = catalogue and named.attname = 'name'
    loop
        if not has_column_privilege(naming, file_column, 'select') then
            raise insufficient_privilege using
                message = format('%s may name the file %s, and the role %s may not read its column %I',
                                 naming, old_name, current_user, file_column),
                hint = format('Run: grant select (%I) on %s to %I', file_column, naming, current_user);
        end if;
        execute format('select exists (select from %s where %I = $1)', naming, file_column)
           into is_named using old_name;
        if is_named then
            -- Under REPEATABLE READ another transaction may let go of that last name now. It must
            -- fail to serialize, and a lock alone leaves nothing to conflict with: write the row.
            execute format('update %s set version = version where name = $1', catalogue)
              using old_name;
            return;
        end if;
    end loop;

    execute format('delete from %s where name = $1', catalogue) using old_name;
end
$$;
"""

# Each reference of version 1 gets the function that constraints.py gives to a new one.
MOVE = """
do $do$
declare
    reference record;
begin
    for reference in
        select tgrelid::regclass as its_table, tgname, conname, attname
          from pg_catalog.pg_trigger
          join pg_catalog.pg_constraint
            on conrelid = tgrelid and contype = 'f'
               and conname = convert_from(substring(tgargs for length(tgargs) - 1), 'UTF8')
          join pg_catalog.pg_attribute on attrelid = conrelid and attnum = conkey[1]
         where tgfoid = 'lo_storage_release_v1'::regproc and tgparentid = 0
    loop
        execute format('create or replace function %I() returns trigger language plpgsql as %L',
                       reference.tgname, replace($body$
declare
    catalogue regclass;
    its_schema regnamespace;
    file_column name;
    new_name text;
begin
    begin
        if old.{column} is null then
            return null;
        elsif tg_op = 'UPDATE' then
            if old.{column} = new.{column} then
                return null;
            end if;
        end if;
    exception when undefined_column then
        null; -- It was renamed.
    end;
    select confrelid, relnamespace, attname into catalogue, its_schema, file_column
      from pg_catalog.pg_constraint
      join pg_catalog.pg_class on pg_class.oid = confrelid
      join pg_catalog.pg_attribute on attrelid = conrelid and attnum = conkey[1]
     where conrelid = tg_relid and contype = 'f' and conname = tg_argv[0];
    if not found then
        raise exception 'trigger % of table % misses its foreign key %',
            quote_ident(tg_name), tg_relid::regclass, quote_ident(tg_argv[0])
            using hint = 'Drop the trigger, or add the constraint again by a migration.';
    end if;
    if tg_op = 'UPDATE' then
        new_name := to_jsonb(new) ->> file_column;
    end if;
    execute format('select %s.lo_storage_release_v2($1, $2, $3)', its_schema)
      using catalogue, to_jsonb(old) ->> file_column, new_name;
    return null;
end;
$body$, '{column}', quote_ident(reference.attname)));
        execute format('drop trigger %I on %s', reference.tgname, reference.its_table);
        execute format('create constraint trigger %I after update or delete on %s'
                       ' deferrable initially deferred for each row execute function %I(%L)',
                       reference.tgname, reference.its_table, reference.tgname, reference.conname);
    end loop;
end
$do$;
"""

MOVE_BACK = """
do $do$
declare
    reference record;
begin
    for reference in
        select tgrelid::regclass as its_table, tgname, conname, tgfoid::regprocedure as its_function
          from pg_catalog.pg_trigger
          join pg_catalog.pg_constraint
            on conrelid = tgrelid and contype = 'f'
               and confrelid = 'lo_storage_largeobject'::regclass
               and tgname = conname || '_release'
         where tgfoid <> 'lo_storage_release_v1'::regproc and tgparentid = 0
    loop
        execute format('drop trigger %I on %s', reference.tgname, reference.its_table);
        execute format('drop function %s', reference.its_function);
        execute format('create constraint trigger %I after update or delete on %s'
                       ' deferrable initially deferred for each row'
                       ' execute function lo_storage_release_v1(%L)',
                       reference.tgname, reference.its_table, reference.conname);
    end loop;
end
$do$;
drop function lo_storage_release_v2(regclass, text, text);
"""

# lolor, an extension that keeps large objects in ordinary tables behind the same functions, has a
# table of their numbers of its own.
UNLINK = """
create function lo_storage_unlink_v2() returns trigger language plpgsql as $$
begin
    -- Of what still exists: vacuumlo or an administrator may have been quicker.
    if to_regclass('lolor.pg_largeobject_metadata') is null then
        perform pg_catalog.lo_unlink(oid)
           from pg_catalog.pg_largeobject_metadata
          where oid = old.loid;
    else
        execute 'select lo_unlink(oid) from lolor.pg_largeobject_metadata where oid = $1'
          using old.loid;
    end if;
    return null;
end
$$;

create or replace trigger lo_storage_unlink after delete on lo_storage_largeobject
    for each row execute function lo_storage_unlink_v2();

create function lo_storage_unlink_all_v2() returns trigger language plpgsql as $$
declare
    loids oid[];
    numbers regclass := coalesce(to_regclass('lolor.pg_largeobject_metadata'),
                                 'pg_catalog.pg_largeobject_metadata');
begin
    execute format('select array_agg(loid) from %s', tg_relid::regclass) into loids;
    execute format('select count(lo_unlink(oid)) from %s where oid = any ($1)', numbers) using loids;
    return null;
end
$$;

create or replace trigger lo_storage_unlink_all before truncate on lo_storage_largeobject
    for each statement execute function lo_storage_unlink_all_v2();
"""

UNLINK_BACK = """
create or replace trigger lo_storage_unlink after delete on lo_storage_largeobject
    for each row execute function lo_storage_unlink_v1();
create or replace trigger lo_storage_unlink_all before truncate on lo_storage_largeobject
    for each statement execute function lo_storage_unlink_all_v1();
drop function lo_storage_unlink_v2();
drop function lo_storage_unlink_all_v2();
"""


class Migration(migrations.Migration):
    dependencies = [("lo_storage", "0001_initial")]

    operations = [
        migrations.RunSQL(UNLINK, UNLINK_BACK),
        migrations.RunSQL(RELEASE + MOVE, MOVE_BACK),
    ]
