"""The ceiling: the same work in PostgreSQL, which sends nothing but a number."""

from collections.abc import Sequence

from django.db import connection

from .stage import MiB

NAME = "the server itself"
IN_PIECES = "the server itself, pieces"

READ = "select length(lo_get(%s::oid))"
READ_PIECES = """
    select sum(length(lo_get(%s::oid, piece, %s)))
      from generate_series(0, %s::bigint - 1, %s) as piece
"""
READ_RANGES = """
    select sum(length(lo_get(%s::oid, start, %s))) from unnest(%s::bigint[]) as start
"""
READ_MANY = "select sum(length(lo_get(loid))) from unnest(%s::oid[]) as loid"

# The content is taken out of its table by the concatenation, once.
_BLOCK = """
do $$
declare
    content bytea := (select content || '' from bench where length(content) = {length});
    loid oid;
    loids oid[];
begin
    {body}
    perform set_config('bench.loids', loids::text, false);
end $$
"""
CREATE = """
    for i in 1..{times} loop
        loids := loids || lo_from_bytea(0, content);
        commit;
    end loop;
"""
CYCLE = """
    for i in 1..{times} loop
        loid := lo_from_bytea(0, content);
        {commit}
        perform length(lo_get(loid));
        {commit}
        perform lo_unlink(loid);
        commit;
    end loop;
"""
WRITE = """
    loid := lo_create(0);
    for i in 0..{times} - 1 loop
        perform lo_put(loid, i::bigint * {length}, content);
    end loop;
    loids := array[loid];
"""


def prepare(*contents: bytes) -> None:
    """Give the server what it is to write."""
    with connection.cursor() as cursor:
        cursor.execute("create unlogged table if not exists bench (content bytea)")
        cursor.execute("truncate bench")
        for content in contents:
            cursor.execute("insert into bench values (%s)", [content])


def _ask(sql: str, *parameters: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        (number,) = cursor.fetchone()
        return number


def read(loid: int) -> int:
    return _ask(READ, loid)


def read_pieces(loid: int, size: int) -> int:
    return _ask(READ_PIECES, loid, MiB, size, MiB)


def read_ranges(loid: int, starts: Sequence[int], length: int) -> int:
    return _ask(READ_RANGES, loid, length, list(starts))


def read_many(loids: Sequence[int]) -> int:
    return _ask(READ_MANY, list(loids))


def _run(body: str, length: int, **values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BLOCK.format(body=body.format(length=length, **values), length=length))


def create(times: int, length: int) -> None:
    _run(CREATE, length, times=times)


def cycle(times: int, length: int, in_transaction: bool) -> None:
    _run(CYCLE, length, times=times, commit="" if in_transaction else "commit;")


def write(size: int) -> None:
    _run(WRITE, MiB, times=size // MiB)


def delete_created() -> None:
    _ask("select count(lo_unlink(o)) from unnest(current_setting('bench.loids')::oid[]) as o")
