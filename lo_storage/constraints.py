"""What the database enforces: no row without its file, no file without its row."""

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

# The trigger's function finds the column by the foreign key, so that a column can be renamed. With
# UPDATE OF or WHEN in the trigger, ALTER COLUMN … TYPE would fail.
CREATE = """\
ALTER TABLE %(table)s ADD CONSTRAINT %(name)s FOREIGN KEY (%(column)s)
    REFERENCES %(catalogue)s (name) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX %(index)s ON %(table)s (%(column)s);
CREATE CONSTRAINT TRIGGER %(trigger)s AFTER UPDATE OR DELETE ON %(table)s
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION lo_storage_release_v1('%(argument)s')"""

REMOVE = """\
DROP TRIGGER %(trigger)s ON %(table)s;
DROP INDEX %(index)s;
ALTER TABLE %(table)s DROP CONSTRAINT %(name)s"""


class LargeObjectReference(models.BaseConstraint):
    """Make a file column reference the catalogue, and let go of files that no row names.

    In the database it is a foreign key with its index, and a trigger:

    - a row cannot name a file that does not exist, and a file that a row of any table names cannot
      be deleted: `IntegrityError` when the transaction commits;
    - a file that this table named, and no longer names in any row, is deleted when the transaction
      commits: after `save()`, `QuerySet.update()`, a cascade, or raw SQL. `TRUNCATE` fires no such
      trigger; `manage.py lo_clean` finds what it leaves.

    Arguments:

    - `field`: the name of a `DbFileField` or `DbImageField`.
    - `name`: unique in the database schema, of at most 55 bytes. In an abstract base
      `%(app_label)s` and `%(class)s` stand for those of the model, as in each constraint of
      Django's.

    Where two tables name one file, neither can let go of it (`IntegrityError`): let one column own
    a file.
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
            argument=self.name.replace("'", "''"),
        )
