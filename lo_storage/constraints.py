"""What the database enforces: a row names a file that exists, and a file goes with its last row."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.backends.ddl_references import Columns, Statement, Table
from django.utils.translation import gettext_lazy as _

from . import catalogue
from .database import cursor

__all__ = ["LargeObjectReference"]

# PostgreSQL cuts names off at 63 bytes. The longest that is made of a constraint's name is the
# trigger's: "<name>_release".
MAX_NAME_LENGTH = 63 - len("_release")

# Each reference has its own function, into which the column's name is written: the common update,
# which changes no file, needs no look-up. Measured: without a look-up it takes 1.3 times as long as
# without a trigger, and with one 3 times. A column that was renamed since is found by the foreign
# key. (With UPDATE OF or WHEN in the trigger, ALTER COLUMN … TYPE would fail. There is no percent
# sign, which Django before 5 takes for a parameter.)
RELEASE = """\
CREATE OR REPLACE FUNCTION %(trigger)s() RETURNS trigger LANGUAGE plpgsql AS $lo_storage$
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
        IF old.%(column)s IS NULL THEN
            RETURN NULL;
        ELSIF tg_op = 'UPDATE' THEN
            IF old.%(column)s = new.%(column)s THEN
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
$lo_storage$"""

CREATE = f"""\
ALTER TABLE %(table)s ADD CONSTRAINT %(name)s FOREIGN KEY (%(column)s)
    REFERENCES %(catalogue)s (name) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX %(index)s ON %(table)s (%(column)s);
{RELEASE};
CREATE CONSTRAINT TRIGGER %(trigger)s AFTER UPDATE OR DELETE ON %(table)s
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION %(trigger)s(%(argument)s)"""

# Function and index are found by what they belong to: their schema may be off the search path.
REMOVE = """\
DO $lo_storage$
DECLARE
    its_function regprocedure;
BEGIN
    SELECT tgfoid INTO its_function
      FROM pg_catalog.pg_trigger
     WHERE tgrelid = %(table_text)s::regclass AND tgname = %(trigger_text)s;
    DROP TRIGGER %(trigger)s ON %(table)s;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgfoid = its_function)
       AND its_function <> to_regprocedure('lo_storage_release_v1()')
    THEN
        EXECUTE 'DROP FUNCTION ' || its_function;
    END IF;
    EXECUTE (SELECT 'DROP INDEX ' || indexrelid::regclass
               FROM pg_catalog.pg_index
               JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
              WHERE indrelid = %(table_text)s::regclass AND relname = %(index_text)s);
END
$lo_storage$;
ALTER TABLE %(table)s DROP CONSTRAINT %(name)s"""


class LargeObjectReference(models.BaseConstraint):
    """Make a file column reference the catalogue, and let go of files that no row names.

    In the database it is a foreign key with its index, and a trigger:

    - a row cannot name a file that does not exist, and a file that a row of any table names cannot
      be deleted: `IntegrityError` when the transaction commits;
    - a file that no row of any table names any more is deleted when the transaction commits in
      which a row of this table let go of it: by `save()`, `QuerySet.update()`, a cascade, or raw
      SQL. `TRUNCATE` fires no such trigger; `manage.py lo_clean` finds what it leaves.

    Arguments:

    - `field`: the name of a `DbFileField` or `DbImageField`.
    - `name`: unique in the database schema, of at most 55 bytes. In an abstract base
      `%(app_label)s` and `%(class)s` stand for those of the model, as in each constraint of
      Django's.

    "Any table" is each one with a foreign key to the catalogue's `name`, as this constraint makes
    it. A role that lets go of a file has to have the right to read these columns.
    """

    default_violation_error_message = _("This file does not exist any more. Choose a file again.")

    def __init__(self, *, field: str, name: str, **kwargs: Any) -> None:
        if len(name.encode()) > MAX_NAME_LENGTH:
            raise ValueError(
                f"the name of a LargeObjectReference has at most {MAX_NAME_LENGTH} bytes;"
                f" shorten {name!r}"
            )
        self.field = field
        super().__init__(name=name, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: field={self.field!r} name={self.name!r}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LargeObjectReference):
            return NotImplemented
        return bool(self.deconstruct() == other.deconstruct())

    def __hash__(self) -> int:
        return hash((self.field, self.name))

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field}

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        # CREATE TABLE has no place for these statements, so they are deferred.
        statement = self.create_sql(model, schema_editor)
        if statement is not None:
            schema_editor.deferred_sql.append(statement)

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._statement(CREATE, model, schema_editor)

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._statement(REMOVE, model, schema_editor)

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Any = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Raise `ValidationError` for a stored name that the catalogue does not have; one query."""
        if exclude and self.field in exclude:
            return
        file = getattr(instance, self.field)
        if not file or not file._committed:
            return
        with cursor(using) as c:
            if catalogue.find(c, file.name) is None:
                raise ValidationError(
                    {self.field: self.get_violation_error_message()}, code="missing_file"
                )

    def _statement(self, template: str, model: Any, schema_editor: Any) -> Statement | None:
        field = model._meta.get_field(self.field)
        if field not in model._meta.local_concrete_fields:
            return None  # The column is in the table of a parent, which has the constraint.
        quote = schema_editor.quote_name
        return Statement(
            template,
            table=Table(model._meta.db_table, quote),
            column=Columns(model._meta.db_table, [field.column], quote),
            catalogue=quote(catalogue.TABLE),
            name=quote(self.name),
            index=quote(f"{self.name}_idx"),
            trigger=quote(f"{self.name}_release"),
            argument=_literal(self.name),
            table_text=_literal(quote(model._meta.db_table)),
            index_text=_literal(f"{self.name}_idx"),
            trigger_text=_literal(f"{self.name}_release"),
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
