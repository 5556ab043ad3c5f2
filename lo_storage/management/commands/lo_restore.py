from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from lo_storage.database import db_for_write
from lo_storage.management.progress import Progress
from lo_storage.names import loid_of
from lo_storage.upkeep.backups import Backup, BackupError, Server
from lo_storage.upkeep.columns import RowsElsewhere
from lo_storage.upkeep.dumps import Dump
from lo_storage.upkeep.missing import missing
from lo_storage.upkeep.restoring import Restored, restore, write_out

REFUSED, COULD_NOT_LOOK = 1, 2


class Command(BaseCommand):
    help = (
        "Bring single files back from a backup: from a dump of any format, or from a server that"
        " was started on a restored data directory. A file comes back where the catalogue or a row"
        " names it, and it is missing or damaged; its SHA-256 has to be the one that it was stored"
        " with. Without --apply say what would be done, and change nothing. Exit status: 0; 1 where"
        " a file was refused, or is not in the backup; 2 where nothing could be looked at."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="16418.pdf, or 16418")
        parser.add_argument(
            "--missing", action="store_true", help="all that lo_check finds missing or damaged"
        )
        parser.add_argument(
            "--verify",
            action="store_true",
            help="of --missing: read each file, for those of another content",
        )
        backup = parser.add_mutually_exclusive_group(required=True)
        backup.add_argument(
            "--dump", type=Path, metavar="PATH", help="the file or folder that pg_dump has written"
        )
        backup.add_argument(
            "--from",
            dest="server",
            metavar="CONNINFO",
            help="the server on a restored data directory: 'host=/tmp port=5433 dbname=papers'",
        )
        parser.add_argument(
            "--pg-restore",
            default="pg_restore",
            metavar="PROGRAM",
            help="of --dump: what reads it; as new as the pg_dump was (pg_restore)",
        )
        parser.add_argument("--apply", action="store_true", help="do it")
        parser.add_argument(
            "--force", action="store_true", help="also where the SHA-256 is unknown, or another"
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FOLDER",
            help="write the files there, and change nothing in the database",
        )
        parser.add_argument(
            "--database",
            choices=tuple(connections),
            help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        if bool(options["names"]) == options["missing"]:
            raise CommandError("give the names of files, or --missing", returncode=COULD_NOT_LOOK)
        if options["verify"] and not options["missing"]:
            raise CommandError("--verify is about --missing", returncode=COULD_NOT_LOOK)
        backup: Backup = (
            Dump(options["dump"], options["pg_restore"])
            if options["dump"]
            else Server(options["server"])
        )
        try:
            found = self.bring_back(alias, backup, options)
        except (RowsElsewhere, ImproperlyConfigured, BackupError, Error, OSError) as error:
            raise CommandError(
                f"could not look: {str(error).strip()}", returncode=COULD_NOT_LOOK
            ) from error
        done = options["apply"] or options["output"]
        verb = "Restored" if done else "Would be restored"
        summary = f"{verb}: {found['restored']:,}. Refused: {found['refused']:,}."
        if found["refused"]:
            raise CommandError(summary, returncode=REFUSED)
        self.stderr.write(summary if done else f"{summary} --apply does it.")

    def bring_back(self, alias: str, backup: Backup, options: Any) -> dict[str, int]:
        """Print what becomes of each file, and return how many of each outcome there are."""
        found = dict.fromkeys(("restored", "well", "refused"), 0)

        def tell(file: Restored) -> None:
            found[file.outcome] += 1
            refused = "refused: " if file.outcome == "refused" else ""
            self.stdout.write(f"{file.name}: {refused}{file.what}")

        names = options["names"]
        if options["missing"]:
            with Progress(self.stderr._out, "Files", 0):
                names = list(missing(alias, content=options["verify"]))
        wanted: dict[int, str] = {}
        for name in names:
            loid = loid_of(name)
            if loid is None:
                tell(Restored(name, "it is no name that the library gives", "refused"))
            else:
                wanted[loid] = name
        if options["output"]:
            options["output"].mkdir(parents=True, exist_ok=True)
        with Progress(self.stderr._out, "Files", len(wanted)) as bar:
            for saved in backup.read(list(wanted)):
                name = wanted.pop(saved.loid)
                file = (
                    write_out(options["output"], name, saved, force=options["force"])
                    if options["output"]
                    else restore(alias, name, saved, apply=options["apply"], force=options["force"])
                )
                bar.hide()
                tell(file)
                bar.add(1)
        for name in wanted.values():
            tell(Restored(name, "is not in the backup", "refused"))
        return found
