"""What fails: a process that is killed, a server that stops, a disk that is full."""

import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg

from .cluster import Cluster, filled

FAULTS: dict[str, Callable[["Site"], None]] = {}


class Site:
    """What can be broken, and by which choice."""

    def __init__(self, cluster: Cluster, choice: random.Random) -> None:
        self.cluster, self.choice = cluster, choice
        self.web, self.proxy = 0, 0  # the processes whose children do the work

    def wait(self, seconds: float) -> None:
        """Let the clients work meanwhile."""
        threading.Event().wait(self.choice.uniform(seconds / 2, seconds))

    def kill_a_child(self, parent: int) -> None:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            _kill(int(self.choice.choice(children)))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it was quicker
        os.kill(pid, signal.SIGKILL)


def fault(function: Callable[[Site], None]) -> Callable[[Site], None]:
    FAULTS[function.__name__] = function
    return function


@fault
def kill_a_web_worker(site: Site) -> None:
    site.kill_a_child(site.web)


@fault
def cut_connections(site: Site) -> None:
    """Kill a worker of the proxy, and with it each connection on both of its sides."""
    site.kill_a_child(site.proxy)


@fault
def terminate_backends(site: Site) -> None:
    with suppress(psycopg.OperationalError), site.cluster.primary.connect() as session:
        for pid in site.cluster.backends(site.choice)[:2]:
            session.execute("select pg_terminate_backend(%s)", [pid])


@fault
def kill_a_backend(site: Site) -> None:
    """As the kernel does when memory runs out: the server ends every session and recovers."""
    with suppress(psycopg.OperationalError):
        for pid in site.cluster.backends(site.choice)[:1]:
            _kill(pid)
    site.cluster.primary.wait_until_up()


@fault
def stop_the_server_at_once(site: Site) -> None:
    site.cluster.primary.stop("immediate")
    site.wait(1)
    site.cluster.primary.start()


@fault
def kill_the_server(site: Site) -> None:
    site.cluster.primary.kill()
    site.wait(1)
    site.cluster.primary.start()


@fault
def fill_the_disk(site: Site) -> None:
    if site.cluster.disk is None:
        return
    with filled(site.cluster.disk):
        site.wait(3)
    # Without room for its log it stops, and may not have come back.
    site.cluster.mend()


@fault
def take_the_replica_away(site: Site) -> None:
    site.cluster.replica.stop("immediate")
    site.wait(3)
    site.cluster.replica.start()
