"""Works on rows that name files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.core.files.base import ContentFile
from django.db import connections, transaction
from django.db.models import F, Model, QuerySet

from lo_storage.querysets import DbFileQuerySet

from .models import IndexedPaper, Paper, PlainPaper
from .running import Clock, Runs
from .stage import ROWS, Stage

WITH = "with files"
INDEXED, PLAIN = "without, with the index", "without, and without the index"

BULK, ONE_BY_ONE, DJANGO = "bulk_create()", "save(), one by one", "bulk_create() of Django's own"
FILES = 1_000

FILL = """
    insert into {table} (views, file) select 0, name from lo_storage_largeobject order by loid
"""


@contextmanager
def update(stage: Stage, rows: int) -> Iterator[Runs]:
    """Update another column of all rows, of a table with a reference and of those without."""
    stage.crowd(rows, ROWS)
    models: dict[str, type[Model]] = {WITH: Paper, INDEXED: IndexedPaper, PLAIN: PlainPaper}
    with connections[ROWS].cursor() as cursor:
        for model in models.values():
            cursor.execute(FILL.format(table=model._meta.db_table))

    def run(model: type[Model], clock: Clock) -> None:
        stage.tidy(ROWS)
        with clock:
            updated = model._default_manager.using(ROWS).update(views=F("views") + 1)
        assert updated == rows

    yield {name: partial(run, model) for name, model in models.items()}


@contextmanager
def bulk(stage: Stage) -> Iterator[Runs]:
    """Insert rows with small files, in one transaction."""

    def run(insert: Callable[[list[Paper]], object], clock: Clock) -> None:
        papers = [Paper(file=ContentFile(stage.small, "a.bin")) for _ in range(FILES)]
        with clock, transaction.atomic():
            insert(papers)
        Paper.objects.all().delete()
        stage.tidy()

    def one_by_one(papers: list[Paper]) -> None:
        for paper in papers:
            paper.save()

    ways: dict[str, Callable[[list[Paper]], object]] = {
        BULK: DbFileQuerySet(Paper).bulk_create,
        ONE_BY_ONE: one_by_one,
        DJANGO: QuerySet(Paper).bulk_create,
    }
    yield {name: partial(run, insert) for name, insert in ways.items()}
