"""Every order in which transactions can take their steps, each in a session of its own.

A step is the begin of a transaction that keeps a snapshot, its operation, its commit, and each gate
in a release function that it comes to. Before the next step each session has ended its own, or
waits for another one's lock, as PostgreSQL says: nothing depends on time.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import psycopg
from django.db import Error, connection, transaction

from .operations import OPERATIONS, RolledBack

LEVELS = {
    "rc": "read committed",
    "rr": "repeatable read",
    "s": "serializable",
}
CLOSE_GATES = """
    select pg_advisory_lock(gate, pid) from generate_series(1, 2) as gate, unnest(%s::int[]) as pid
"""
BLOCKING = "select pid, pg_blocking_pids(pid) from unnest(%s::int[]) as pid"


class Plan(NamedTuple):
    """What each session does, under which level of isolation, and who moves when."""

    operations: tuple[str, ...]
    levels: tuple[str, ...]
    gated: bool
    moves: tuple[int, ...] = ()

    def __str__(self) -> str:
        return ":".join(
            [
                "+".join(self.operations),
                "+".join(self.levels),
                "gated" if self.gated else "open",
                "".join(map(str, self.moves)),
            ]
        )

    @classmethod
    def parse(cls, name: str) -> "Plan":
        operations, levels, gated, moves = name.split(":")
        return cls(
            tuple(operations.split("+")),
            tuple(levels.split("+")),
            gated == "gated",
            tuple(map(int, moves)),
        )


class Session:
    """A thread with a connection of Django's, which runs one transaction after the other."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.pool = ThreadPoolExecutor(1)
        self.steps: Generator[None, None, None] | None = None
        self.pid = self.pool.submit(self._connect).result()

    def _connect(self) -> int:
        connection.ensure_connection()
        return int(connection.connection.info.backend_pid)

    def close(self) -> Future[None]:
        closed = self.pool.submit(self._close)
        self.pool.shutdown(wait=False)
        return closed

    def _close(self) -> None:
        if self.steps:
            self.steps.close()  # which rolls back
        connection.close()

    def prepare(self, operation: str, level: str) -> None:
        self.operation, self.level = operation, level
        self.error: BaseException | None = None
        self.edited: str | None = None
        self.gates = 0
        self.has_ended = False
        self.steps = self._steps()
        self.future: Future[None] | None = None

    def _steps(self) -> Generator[None, None, None]:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"set transaction isolation level {LEVELS[self.level]}")
                if self.level != "rc":  # whose snapshots are those of its statements
                    cursor.execute("select count(*) from lo_storage_tests_document")
                    yield
            self.edited = OPERATIONS[self.operation].does(self.who)
            yield

    @property
    def outcome(self) -> str:
        """In a word: how the transaction ended."""
        cause = self.error and (self.error.__cause__ or self.error)
        return "committed" if cause is None else type(cause).__name__

    def begin_step(self) -> None:
        self.future = self.pool.submit(self._step)

    def _step(self) -> None:
        try:
            assert self.steps
            next(self.steps)
        except StopIteration:
            self.has_ended = True
        except (Error, FileNotFoundError, RolledBack) as error:
            self.error, self.has_ended = error, True


class Sessions:
    """Two sessions or three, and one that looks on and holds the gates."""

    def __init__(self, observer: psycopg.Connection, count: int) -> None:
        self.observer = observer
        self.all = [Session(who) for who in "abc"[:count]]

    def __enter__(self) -> "Sessions":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.observer.execute("select pg_advisory_unlock_all()")
        # Where it was interrupted one may wait for another.
        for closed in [session.close() for session in self.all]:
            closed.result()

    def run(self, plan: Plan, path: list[int]) -> list[tuple[int, list[int]]]:
        """Run transactions to their end, by moves that a path begins.

        Return each move with those that could have been made.
        """
        moves: list[tuple[int, list[int]]] = []
        used = self.all[: len(plan.operations)]
        for session, operation, level in zip(used, plan.operations, plan.levels, strict=True):
            session.prepare(operation, level)
        if plan.gated:
            self.observer.execute(CLOSE_GATES, [[session.pid for session in used]])
        while movable := self._settle(used):
            # Which of two fails in a deadlock is PostgreSQL's choice: a path may not go on then.
            is_ahead = len(moves) < len(path) and path[len(moves)] in movable
            move = path[len(moves)] if is_ahead else movable[0]
            moves.append((move, movable))
            self._move(used[move])
        self.observer.execute("select pg_advisory_unlock_all()")
        return moves

    def _move(self, session: Session) -> None:
        if session.future is None:
            session.begin_step()
        else:
            session.gates += 1
            self.observer.execute("select pg_advisory_unlock(%s, %s)", [session.gates, session.pid])

    def _settle(self, sessions: list[Session]) -> list[int]:
        """Wait until each session has ended its step or waits; return who can move."""
        while True:
            # Most steps end soon, and need no question.
            wait([session.future for session in sessions if session.future], 0.003)
            pending: dict[int, Session] = {}
            for session in sessions:
                if session.future is not None and session.future.done():
                    session.future.result()
                    session.future = None
                if session.future is not None:
                    pending[session.pid] = session
            blocked_by: dict[int, list[int]] = dict(
                self.observer.execute(BLOCKING, [list(pending)]).fetchall() if pending else []
            )
            if any(s.future.done() for s in pending.values() if s.future):
                continue
            if all(self._will_stay(pid, blocked_by, {pid}) for pid in pending):
                break
        return [
            index
            for index, session in enumerate(sessions)
            if not session.has_ended
            and (
                session.future is None or self.observer.info.backend_pid in blocked_by[session.pid]
            )
        ]

    def _will_stay(self, pid: int, blocked_by: dict[int, list[int]], seen: set[int]) -> bool:
        """Whether a session waits for one that can move; in a circle none can, until one fails."""
        ways = set(blocked_by.get(pid, [])) - seen
        return any(
            way == self.observer.info.backend_pid
            or (way in {s.pid for s in self.all} and way not in blocked_by)
            or self._will_stay(way, blocked_by, seen | {way})
            for way in ways
        )


def every_order(sessions: Sessions, plan: Plan, prepare: Callable[[], object]) -> Iterator[Plan]:
    """Run a plan in each order that there is, from that of its moves on; yield what was run."""
    path: list[int] = list(plan.moves)
    while True:
        prepare()
        moves = sessions.run(plan, path)
        yield plan._replace(moves=tuple(move for move, _ in moves))
        while moves and moves[-1][0] == moves[-1][1][-1]:
            moves.pop()
        if not moves:
            return
        last, movable = moves.pop()
        path = [move for move, _ in moves] + [movable[movable.index(last) + 1]]
