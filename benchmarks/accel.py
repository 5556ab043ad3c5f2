"""Works in which nginx sends what a view allows: from its cache, or a file on disk."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from .contestants import FILES, OURS
from .serving import (
    BY_GUNICORN,
    FROM_DISK,
    GUNICORN,
    WSGI,
    Downloads,
    Way,
    WebServer,
    free_port,
    get,
    started,
    web_server,
)
from .stage import ROOT, SMALL, Stage

DISK = "a file on disk by nginx"

ACCEL = "benchmarks.accel_site"
SITE = GUNICORN.replace("benchmarks.site", ACCEL)
WAYS = {
    OURS: Way(OURS, "/new/{name}", SITE),
    DISK: Way(FILES, "/disk/{name}", SITE),
    BY_GUNICORN: WSGI[OURS],
    FROM_DISK: WSGI[FROM_DISK],
}

CONFIGURATION = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/requests;
    proxy_temp_path {folder}/answers;
    proxy_cache_path {folder}/contents levels=1:2 use_temp_path=off keys_zone=contents:10m;
    proxy_set_header Host $http_host;
    server {{
        listen 127.0.0.1:{port};
        set $site http://127.0.0.1:{behind};
        location / {{
            proxy_pass $site;
        }}
        {location}
        location /files/ {{
            internal;
            sendfile on;
            alias {folder}/files/;
        }}
    }}
}}
"""


def _location() -> str:
    """Return what `nginx.conf` says of the cache."""
    text = (ROOT / "nginx.conf").read_text()
    return re.search(r"^ {8}location /x-accel/ \{.*?^ {8}\}\n", text, re.M | re.S)[0]


@contextmanager
def nginx(stage: Stage, behind: WebServer) -> Iterator[WebServer]:
    """nginx in front of a server, with one process that answers."""
    port = free_port()
    folder = stage.folder / f"nginx-{port}"
    folder.mkdir()
    (folder / "files").symlink_to(stage.folder / "files")
    text = CONFIGURATION.format(
        user="user root;" if os.geteuid() == 0 else "",
        folder=folder,
        port=port,
        behind=behind.address[1],
        location=_location(),
    )
    (folder / "nginx.conf").write_text(text)
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    command = [program or "nginx", "-c", folder / "nginx.conf", "-g", "daemon off;"]
    with started(command, port) as server:
        yield server


class HandedOver(Downloads):
    """Downloads, some of them by nginx."""

    @contextmanager
    def _server(self, way: Way, stage: Stage) -> Iterator[WebServer]:
        if ACCEL not in way.command:
            with super()._server(way, stage) as server:
                yield server
            return
        with web_server(way.command) as server, nginx(stage, server) as proxy:
            for size in (SMALL, self.size):  # so that what is kept is in the cache
                with proxy.connect() as connection:
                    get(connection, way.address_of(stage, size))
            yield proxy
