"""The same in databases that hold more and more other objects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.core.files.base import ContentFile
from django.db import connections, transaction

from lo_storage.storage import DbFileStorage

from .running import TIMES, Clock, Runs
from .stage import Stage

type CrowdRun = Callable[[Stage, str, DbFileStorage, Clock], None]


def label(objects: int) -> str:
    return f"among {objects:,}"


@contextmanager
def crowded(stage: Stage, crowds: tuple[int, ...], run: CrowdRun) -> Iterator[Runs]:
    aliases = {objects: stage.crowd(objects) for objects in crowds}
    yield {
        label(objects): partial(run, stage, alias, DbFileStorage(alias=alias))
        for objects, alias in aliases.items()
    }


def cycle(stage: Stage, alias: str, storage: DbFileStorage, clock: Clock) -> None:
    with clock:
        for _ in range(TIMES):
            name = storage.save("a.bin", ContentFile(stage.small))
            _read(storage, [name])
            storage.delete(name)


def read_own(stage: Stage, alias: str, storage: DbFileStorage, clock: Clock) -> None:
    names = _save(stage, alias, storage)
    with clock:
        _read(storage, names)
    with transaction.atomic(using=alias):
        _delete(storage, names)


def read_any(stage: Stage, alias: str, storage: DbFileStorage, clock: Clock) -> None:
    """Read files that the server may have to fetch: a million do not fit into its cache."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "select name from lo_storage_largeobject order by random() limit %s", [TIMES]
        )
        names = [name for (name,) in cursor.fetchall()]
    with clock:
        _read(storage, names)


def delete(stage: Stage, alias: str, storage: DbFileStorage, clock: Clock) -> None:
    names = _save(stage, alias, storage)
    with clock:
        _delete(storage, names)


def _save(stage: Stage, alias: str, storage: DbFileStorage) -> list[str]:
    with transaction.atomic(using=alias):
        return [storage.save("a.bin", ContentFile(stage.small)) for _ in range(TIMES)]


def _read(storage: DbFileStorage, names: list[str]) -> None:
    for name in names:
        with storage.open(name) as file:
            file.read()


def _delete(storage: DbFileStorage, names: list[str]) -> None:
    for name in names:
        storage.delete(name)
