"""Works on rows that name files."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import connections
from django.db.models import F, Model

from .models import FreePaper, Paper
from .running import Clock, Runs
from .stage import ROWS, Stage

WITH, WITHOUT = "with files", "without"

FILL = """
    insert into {table} (views, file) select 0, name from lo_storage_largeobject order by loid
"""


@contextmanager
def update(stage: Stage, rows: int) -> Iterator[Runs]:
    """Update another column of all rows, of a table with a reference and of one without."""
    stage.crowd(rows, ROWS)
    models: dict[str, type[Model]] = {WITHOUT: FreePaper, WITH: Paper}
    with connections[ROWS].cursor() as cursor:
        for model in models.values():
            cursor.execute(FILL.format(table=model._meta.db_table))

    def run(model: type[Model], clock: Clock) -> None:
        stage.tidy(ROWS)
        with clock:
            updated = model._default_manager.using(ROWS).update(views=F("views") + 1)
        assert updated == rows

    yield {name: partial(run, model) for name, model in models.items()}
