from django.db import migrations

# This SQL has run somewhere, so it is never edited: what changes gets a new migration, and a new name.

# The one rule: a file goes when no row of any table names it. A table that names files is one with a
# foreign key to the catalogue's name. Each reference of version 1 gets the function that
# constraints.py gives to a new one.
MOVE = """
do $do$
declare
    reference record;
begin
    for reference in
        select tgrelid::regclass as its_table, relnamespace::regnamespace as its_schema,
               tgname, conname, attname
          from pg_catalog.pg_trigger
          join pg_catalog.pg_class on pg_class.oid = tgrelid
          join pg_catalog.pg_constraint
            on conrelid = tgrelid and contype = 'f'
               and conname = convert_from(substring(tgargs for length(tgargs) - 1),
                                          getdatabaseencoding())
          join pg_catalog.pg_attribute on attrelid = conrelid and attnum = conkey[1]
         where tgfoid = 'lo_storage_release_v1'::regproc and tgparentid = 0
    loop
        execute format('create or replace function %s.%I() returns trigger language plpgsql as %L',
                       reference.its_schema, reference.tgname, replace($body$
DECLARE
    catalogue regclass;
    naming regclass;
    file_column name;
    delete_rule "char";
    old_name text;
    new_name text;
    is_named boolean;
BEGIN
    BEGIN
        IF old.{column} IS NULL THEN
            RETURN NULL;
        ELSIF tg_op = 'UPDATE' THEN
            IF old.{column} = new.{column} THEN
                RETURN NULL;
            END IF;
        END IF;
    EXCEPTION WHEN undefined_column OR datatype_mismatch THEN
        NULL; -- It was renamed, or got another type.
    END;

    SELECT confrelid, attname INTO catalogue, file_column
      FROM pg_catalog.pg_constraint
      JOIN pg_catalog.pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
     WHERE conrelid = tg_relid AND contype = 'f' AND conname = tg_argv[0];
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            MESSAGE = 'trigger ' || quote_ident(tg_name) || ' of table ' || tg_relid::regclass
                      || ' misses its foreign key ' || quote_ident(tg_argv[0]),
            HINT = 'Drop the trigger, or add the constraint again by a migration.';
    END IF;
    EXECUTE 'SELECT ($1).' || quote_ident(file_column) || '::text' INTO old_name USING old;
    IF tg_op = 'UPDATE' THEN
        EXECUTE 'SELECT ($1).' || quote_ident(file_column) || '::text' INTO new_name USING new;
    END IF;
    IF old_name IS NULL OR old_name = new_name THEN
        RETURN NULL;
    END IF;

    -- Wait for a transaction that has begun to name the file, and then see what it committed.
    EXECUTE 'SELECT name FROM ' || catalogue || ' WHERE name = $1 FOR UPDATE' USING old_name;

    FOR naming, file_column, delete_rule IN
        -- The whole partitioned table: a row may have moved to another partition.
        SELECT DISTINCT coalesce(pg_catalog.pg_partition_root(conrelid), conrelid)::regclass,
               namer.attname, confdeltype
          FROM pg_catalog.pg_constraint
          JOIN pg_catalog.pg_attribute namer
            ON namer.attrelid = conrelid AND namer.attnum = conkey[1]
          JOIN pg_catalog.pg_attribute named
            ON named.attrelid = confrelid AND ARRAY[named.attnum] = confkey
         WHERE contype = 'f' AND confrelid = catalogue AND named.attname = 'name'
    LOOP
        IF NOT has_schema_privilege((SELECT relnamespace FROM pg_class WHERE oid = naming), 'usage')
           OR NOT has_column_privilege(naming, file_column, 'select')
           OR (row_security_active(naming) AND delete_rule NOT IN ('a', 'r'))
        THEN
            RAISE insufficient_privilege USING
                MESSAGE = naming || ' may name the file ' || old_name || ', and the role '
                          || quote_ident(current_user) || ' may not read all of its column '
                          || quote_ident(file_column),
                HINT = 'Run: GRANT SELECT (' || quote_ident(file_column) || ') ON ' || naming
                       || ' TO ' || quote_ident(current_user);
        END IF;
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || naming || ' WHERE ' || quote_ident(file_column)
                || ' = $1)'
           INTO is_named USING old_name;
        IF is_named THEN
            -- Another transaction may be letting go of the name just found, and under REPEATABLE
            -- READ neither sees the other's change. Write the row, so that the second one fails to
            -- serialize: a lock would not do that.
            EXECUTE 'UPDATE ' || catalogue || ' SET version = version WHERE name = $1'
              USING old_name;
            RETURN NULL;
        END IF;
    END LOOP;

    EXECUTE 'DELETE FROM ' || catalogue || ' WHERE name = $1' USING old_name;
    RETURN NULL;
END;
$body$, '{column}', quote_ident(reference.attname)));
        execute format('drop trigger %I on %s', reference.tgname, reference.its_table);
        execute format('create constraint trigger %I after update or delete on %s'
                       ' deferrable initially deferred for each row execute function %s.%I(%L)',
                       reference.tgname, reference.its_table, reference.its_schema,
                       reference.tgname, reference.conname);
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
        select tgrelid::regclass as its_table, tgname, conname, tgfoid,
               tgfoid::regprocedure as its_function
          from pg_catalog.pg_trigger
          join pg_catalog.pg_constraint
            on conrelid = tgrelid and contype = 'f'
               and confrelid = 'lo_storage_largeobject'::regclass
               and tgname = conname || '_release'
         where tgfoid <> 'lo_storage_release_v1'::regproc and tgparentid = 0
    loop
        execute format('drop trigger %I on %s', reference.tgname, reference.its_table);
        if not exists (select from pg_catalog.pg_trigger where tgfoid = reference.tgfoid) then
            execute format('drop function %s', reference.its_function);
        end if;
        execute format('create constraint trigger %I after update or delete on %s'
                       ' deferrable initially deferred for each row'
                       ' execute function lo_storage_release_v1(%L)',
                       reference.tgname, reference.its_table, reference.conname);
    end loop;
end
$do$;
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
        migrations.RunSQL(MOVE, MOVE_BACK),
    ]
