from pathlib import Path
from typing import Any

from django.core.files.storage import Storage
from django.core.management.base import CommandParser
from django.template.defaultfilters import filesizeformat

from lo_storage.database import db_for_write
from lo_storage.management.progress import Progress
from lo_storage.management.transfer import TransferCommand, library_of
from lo_storage.transfer.bags import NotABag, oxum, validate
from lo_storage.transfer.importing import import_all
from lo_storage.transfer.index import check
from lo_storage.transfer.rows import Column
from lo_storage.transfer.sources import CannotBegin, Source
from lo_storage.transfer.storages import storage_of


class Command(TransferCommand):
    help = (
        "Bring files in: what the rows of a column name in another storage, or have in another"
        " column, is copied into the database, or with --to into a storage, read again and compared"
        " by its SHA-256, and named by the row, if that is as it was. Run it again, and it goes on."
        " The source is kept, unless --delete-source is given. One line is printed for each file"
        " that could not be moved. Exit status: 0; 1 if something was not moved; 2 if nothing could"
        " be; 130 if it was interrupted, which does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--adopt",
            action="store_true",
            help="with --from-field of type oid or lo: catalogue the large objects, and copy none",
        )

    def ends(self, column: Column, options: Any) -> tuple[Source, Storage]:
        source = self.source(column, options)
        if source is None:
            raise CannotBegin("say where the files are: --from STORAGE, or --from-field FIELD")
        if options["to"]:
            return source, storage_of(options["to"], writing=True)
        return source, library_of(column)

    def move_all(self, options: Any) -> None:
        self.refuse(options, "adopt")
        alias, folder = db_for_write(options["database"]), Path(options["all"])
        try:
            size, _ = oxum(folder)
            with Progress(self.stderr._out, "Checking", size, filesizeformat) as bar:
                validate(folder, bar.add)
            check(folder)
            with Progress(self.stderr._out, "Files", size, filesizeformat) as bar:
                self.tell(
                    bar,
                    import_all(alias, folder, bar.add, options["dry_run"], lambda: self.stop),
                )
        except NotABag as error:
            raise CannotBegin(f"{error}. Nothing was changed") from error
        except OSError as error:
            raise CannotBegin(
                f"{error.filename or folder} cannot be read: {error.strerror}; run it again"
            ) from error
