"""Side by side with pg-lo-storage 0.2.2: the same work on the same server, in turns.

bin/bench runs it; the table goes to standard output. A ratio above 1 is in favour of lo_storage.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
MiB = 1024 * 1024


def configure() -> None:
    sys.path.insert(0, str(ROOT))
    from config.postgres import database

    settings.configure(
        DATABASES={"default": {**database(ROOT), "NAME": "app"}},
        INSTALLED_APPS=["lo_storage"],
        USE_TZ=True,
    )
    django.setup()


def main() -> None:
    configure()
    import pg_lo_storage.storage as reference
    from django.core.files.base import ContentFile
    from django.core.management import call_command
    from django.db import connection, transaction

    import lo_storage.storage as ours

    test_name = connection.creation.create_test_db(verbosity=0)
    assert test_name != "app"
    call_command("migrate", verbosity=0)

    # The reference can tell whether an object exists only as a superuser, or so granted.
    ours_storage = ours.DbFileStorage()
    data = {size: os.urandom(size) for size in (10_000, 32 * MiB, 64 * MiB)}

    class Reference(reference.DbFileStorage):
        """0.2.2 reads pg_largeobject, which an ordinary role may not."""

        def exists(self, name: str) -> bool:
            with connection.cursor() as cursor:
                cursor.execute(
                    "select exists (select from pg_largeobject_metadata where oid = %s)",
                    [self._get_loid(name)],
                )
                return bool(cursor.fetchone()[0])

    storages = {"0.2.2": Reference(), "lo_storage": ours_storage}

    def save(storage, size):
        with transaction.atomic():
            return storage.save("x.bin", ContentFile(data[size]))

    def cycle(storage):
        for _ in range(100):
            with transaction.atomic():
                name = storage.save("x.bin", ContentFile(data[10_000]))
                assert len(storage.open(name).read()) == 10_000
                storage.delete(name)

    def read(storage, name):
        with transaction.atomic(), storage.open(name) as file:
            assert sum(map(len, file.chunks())) == 64 * MiB

    big = {label: save(storage, 64 * MiB) for label, storage in storages.items()}
    works: dict[str, tuple[Callable, float, str]] = {
        "create, read, delete 10 KB": (lambda s, b: cycle(s), 100, "cycles/s"),
        "write 32 MiB": (lambda s, b: s.delete(save(s, 32 * MiB)), 32, "MiB/s"),
        "read 64 MiB by chunks": (read, 64, "MiB/s"),
    }
    print("| work | unit | 0.2.2 | lo_storage | ratio |\n| --- | --- | ---: | ---: | ---: |")
    for title, (work, amount, unit) in works.items():
        figures: dict[str, list[float]] = {label: [] for label in storages}
        for _ in range(5):
            for label, storage in storages.items():
                start = time.perf_counter()
                work(storage, big[label])
                figures[label].append(amount / (time.perf_counter() - start))
        theirs, own = (statistics.median(figures[label]) for label in storages)
        print(f"| {title} | {unit} | {theirs:.0f} | {own:.0f} | {own / theirs:.1f} |")
    connection.creation.destroy_test_db("app", verbosity=0)


if __name__ == "__main__":
    main()
