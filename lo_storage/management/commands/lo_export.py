from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.template.defaultfilters import filesizeformat

from lo_storage.database import db_for_write
from lo_storage.management.progress import Progress
from lo_storage.management.transfer import TransferCommand
from lo_storage.models import LargeObject
from lo_storage.storage import DbFileStorage, db_file_storage
from lo_storage.transfer.exporting import begin, export_all, size_of
from lo_storage.transfer.rows import Column
from lo_storage.transfer.sources import CannotBegin, Source, StoredFiles, storage_of


class Command(TransferCommand):
    help = (
        "Bring files out: what the rows of a column name in the database is copied to another"
        " storage, read again there and compared by its SHA-256, and named by the row, if that is"
        " as it was. With --all the files of the whole database are written to a folder that"
        " anybody can use, and no row is changed. Run it again, and it goes on. One line is printed"
        " for each file that could not be moved. Exit status: 0; 1 if something was not moved; 2 if"
        " nothing could be; 130 if it was interrupted, which does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--to",
            metavar="STORAGE",
            help="where the files go: an alias of STORAGES, or a folder",
        )

    def ends(self, column: Column, options: Any) -> tuple[Source, Any]:
        if not options["to"]:
            raise CannotBegin("say where the files go: --to STORAGE")
        target = storage_of(options["to"], writing=True)
        if options["from_field"]:
            return self.other(column, options), target
        ours = column.field.storage
        return (
            StoredFiles(ours if isinstance(ours, DbFileStorage) else db_file_storage, column),
            target,
        )

    def move_all(self, options: Any) -> None:
        self.refuse(options, "to")
        alias, folder = db_for_write(options["database"]), Path(options["all"])
        if options["dry_run"]:
            self.moved = LargeObject.objects.using(alias).count()
            return
        begin(folder)
        try:
            with Progress(self.stderr._out, "Files", size_of(alias), filesizeformat) as bar:
                self.tell(bar, export_all(alias, folder, bar.add, lambda: self.stop))
        except OSError as error:
            raise CannotBegin(
                f"{error.filename or folder} cannot be written: {error.strerror}; run it again, and"
                " it goes on"
            ) from error
