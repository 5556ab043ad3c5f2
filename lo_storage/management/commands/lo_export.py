from pathlib import Path
from typing import Any

from django.core.files.storage import Storage
from django.template.defaultfilters import filesizeformat

from lo_storage.database import db_for_write
from lo_storage.management.progress import Progress
from lo_storage.management.transfer import TransferCommand, library_of
from lo_storage.models import LargeObject
from lo_storage.transfer.exporting import export_all
from lo_storage.transfer.folders import begin
from lo_storage.transfer.listing import size_of
from lo_storage.transfer.rows import Column
from lo_storage.transfer.sources import CannotBegin, Source, StoredFiles
from lo_storage.transfer.storages import storage_of


class Command(TransferCommand):
    help = (
        "Bring files out: what the rows of a column name in the database is copied to another"
        " storage, read again there and compared by its SHA-256, and named by the row, if that is"
        " as it was. With --all the files of the whole database are written to a folder that"
        " anybody can use, and no row is changed. Run it again, and it goes on. One line is printed"
        " for each file that could not be moved. Exit status: 0; 1 if something was not moved; 2 if"
        " nothing could be; 130 if it was interrupted, which does no harm."
    )

    def ends(self, column: Column, options: Any) -> tuple[Source, Storage]:
        if not options["to"]:
            raise CannotBegin("say where the files go: --to STORAGE")
        source = self.source(column, options) or StoredFiles(library_of(column), column)
        return source, storage_of(options["to"], writing=True)

    def move_all(self, options: Any) -> None:
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
