"""A server of a benchmark's own, of any version whose programs are on this machine."""

import os
import subprocess
from pathlib import Path

import psycopg

from config import embedded_postgres


class Cluster:
    """A server in a folder, and how its owner runs programs there."""

    def __init__(self, programs: Path, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.data = folder, folder / "data"
        self.owner = embedded_postgres.Server(folder, programs)
        self.environment = {**self.owner.environment, "PGHOST": str(folder), "PGUSER": "postgres"}
        os.chown(folder, self.owner.uid, self.owner.gid)

    def run(self, *command: object) -> None:
        program, *arguments = map(str, command)
        subprocess.run(
            [*self.owner.prefix, str(self.owner.programs / program), *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def initialise(self, *options: str) -> None:
        options = ("--username=postgres", "--auth=trust", "--locale=C.UTF-8", *options)
        self.run("initdb", f"--pgdata={self.data}", "--encoding=UTF8", *options)

    def start(self, *settings: str) -> None:
        """Start it, with settings as `name=value`; it listens to a Unix socket in its folder."""
        options = " ".join(f"-c {setting}" for setting in ("listen_addresses=", *settings))
        options += f" -k {self.folder}"
        self.run("pg_ctl", "start", f"--pgdata={self.data}", "--log=log", f"--options={options}")

    def stop(self) -> None:
        self.run("pg_ctl", "stop", f"--pgdata={self.data}", "--mode=fast")

    def connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), dbname=name, user="postgres", autocommit=True)
