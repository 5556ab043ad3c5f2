"""Whether rows and files balance: what the foot of each page and the demo's experiment show."""

from dataclasses import dataclass

from django.db import connection

COUNT = """
    select (select count(*) from invoices_invoice where data is not null),
           (select count(*) from pg_largeobject_metadata),
           (select count(*)
              from pg_largeobject_metadata object
             where not exists (select from lo_storage_largeobject entry
                                 join invoices_invoice on invoices_invoice.data = entry.name
                                where entry.loid = object.oid))
"""


@dataclass(frozen=True)
class Balance:
    invoices: int  # that have a file
    objects: int  # large objects in the database, whoever made them
    unnamed: int  # of these, the ones that no invoice names

    @classmethod
    def now(cls):
        """Count as this transaction sees it, in one query."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT)
            return cls(*cursor.fetchone())
