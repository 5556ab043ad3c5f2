from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.template.defaultfilters import filesizeformat

from lo_storage.database import db_for_write
from lo_storage.management.progress import Progress
from lo_storage.management.transfer import TransferCommand
from lo_storage.storage import DbFileStorage, db_file_storage
from lo_storage.transfer.bags import NotABag, oxum, validate
from lo_storage.transfer.importing import import_all
from lo_storage.transfer.index import check
from lo_storage.transfer.rows import Column
from lo_storage.transfer.sources import CannotBegin, Source, StoredFiles, storage_of


class Command(TransferCommand):
    help = (
        "Bring files in: what the rows of a column name in another storage, or have in another"
        " column, is copied into the database, read again and compared by its SHA-256, and named by"
        " the row, if that is as it was. Run it again, and it goes on. The source is kept, unless"
        " --delete-source is given. One line is printed for each file that could not be moved."
        " Exit status: 0; 1 if something was not moved; 2 if nothing could be; 130 if it was"
        " interrupted, which does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--from",
            metavar="STORAGE",
            help="where the files are that the column names: an alias of STORAGES, or a folder",
        )
        parser.add_argument(
            "--adopt",
            action="store_true",
            help="with --from-field of type oid or lo: catalogue the large objects, and copy none",
        )

    def ends(self, column: Column, options: Any) -> tuple[Source, Any]:
        if bool(options["from"]) == bool(options["from_field"]):
            raise CannotBegin("say where the files are: --from STORAGE, or --from-field FIELD")
        ours = column.field.storage
        target = ours if isinstance(ours, DbFileStorage) else db_file_storage
        if options["from_field"]:
            return self.other(column, options), target
        source = storage_of(options["from"], writing=False)
        return StoredFiles(source, column), target

    def move_all(self, options: Any) -> None:
        self.refuse(options, "from", "adopt")
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
