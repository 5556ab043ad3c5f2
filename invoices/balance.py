"""Whether rows and files balance: what the foot of each page and the demo's experiment show."""

from dataclasses import dataclass

from django.db import connection

COUNT = """
    with object as (
        select oid, exists (select from lo_storage_uploads_upload where loid = oid) as is_staged
          from pg_largeobject_metadata
    )
    select (select count(*) from invoices_invoice where data is not null),
           count(*) filter (where not is_staged),
           count(*) filter (where not is_staged
                              and not exists (select from lo_storage_largeobject entry
                                                join invoices_invoice
                                                  on invoices_invoice.data = entry.name
                                               where entry.loid = object.oid)),
           count(*) filter (where is_staged)
      from object
"""


@dataclass(frozen=True)
class Balance:
    invoices: int  # that have a file
    objects: int  # large objects in the database, whoever made them, but for the staged ones
    unnamed: int  # of these, the ones that no invoice names
    staged: int  # uploads that no invoice has taken yet

    @classmethod
    def now(cls):
        """Count as this transaction sees it, in one query."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT)
            return cls(*cursor.fetchone())
