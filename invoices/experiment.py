"""Demo only: break a transaction on purpose, after its files were written, and see what is left.

Remove this module, its two templates and what names it, and the application is as it was.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.db import connection

from .balance import Balance
from .models import Invoice

FAILURES = {
    "exception": "Raise an exception at the end of the work",
    "commit": "Let the database refuse at COMMIT",
}

OBJECTS = """
    select object.oid, coalesce(entry.original_name, upload.original_name),
           coalesce(entry.size, upload.received), upload.loid is not null
      from pg_largeobject_metadata object
      left join lo_storage_largeobject entry on entry.loid = object.oid
      left join lo_storage_uploads_upload upload on upload.loid = object.oid
"""


class BrokenOnPurpose(Exception):
    pass


@contextmanager
def experiment(request):
    """Inside the view's transaction: let the view do its work, look at it, and break it."""
    failure = request.POST.get("experiment")
    if not settings.DEMO or failure not in FAILURES:
        yield
        return
    before = Snapshot.now()
    yield
    request.story = Story(failure, before, inside=Snapshot.now())
    if failure == "exception":
        raise BrokenOnPurpose("As you asked, an exception was raised at the end of the work.")
    # A foreign key is checked at COMMIT: not this statement fails, but the end of the transaction.
    Invoice.objects.bulk_create(
        [Invoice(owner=request.user, number="broken on purpose", data="1.missing")]
    )


@dataclass(frozen=True)
class Snapshot:
    """What a transaction sees at one moment."""

    balance: Balance
    objects: dict  # large object: (original name, size, whether it is staged)

    @classmethod
    def now(cls):
        with connection.cursor() as cursor:
            cursor.execute(OBJECTS)
            objects = {loid: file for loid, *file in cursor.fetchall()}
        return cls(Balance.now(), objects)


@dataclass
class Story:
    """Three moments of a transaction that failed: before it wrote, inside it, and after it."""

    failure: str
    before: Snapshot
    inside: Snapshot

    @cached_property
    def after(self):
        return Snapshot.now()  # Asked for by the template, when the transaction is long over.

    @property
    def moments(self):
        return self.before, self.inside, self.after

    @property
    def headline(self):
        if self.after != self.before:
            return "Somebody else changed something in the meantime."
        if not self.deleted:
            return "Nothing was left behind."
        return (
            "Nothing was lost, and nothing was left behind." if self.taken else "Nothing was lost."
        )

    @property
    def taken(self):
        """The uploads that became files of rows, each of them a large object."""
        return {
            loid
            for loid, (*_, is_staged) in self.inside.objects.items()
            if not is_staged and self.before.objects.get(loid, [True])[-1]
        }

    @property
    def deleted(self):
        return self.before.objects.keys() - self.inside.objects.keys()

    @property
    def balances(self):
        return [
            (label, [getattr(moment.balance, name) for moment in self.moments])
            for name, label in (
                ("invoices", "Invoices with a file"),
                ("objects", "Large objects in the database"),
                ("unnamed", "Large objects that no row names"),
                ("staged", "Uploads that wait for a row"),
            )
        ]

    @property
    def objects(self):
        """Each large object that the transaction took or deleted, and what became of it."""
        files = self.before.objects | self.inside.objects
        return [
            (loid, *files[loid][:2], self._fate(loid)) for loid in sorted(self.taken | self.deleted)
        ]

    def _fate(self, loid):
        before, _, after = (moment.objects.get(loid) for moment in self.moments)
        if loid in self.deleted:
            return [
                ("there", True),
                ("deleted", False),
                ("still there" if after else "gone", bool(after)),
            ]
        return [
            ("waits" if before else "–", bool(before)),
            ("the file of a row", True),
            ("waits again" if after else "gone", bool(after)),
        ]
