"""What is found in a text is what a regular expression of the server finds there."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lo_storage.upkeep.searching import Sought, strike_all

# Each run of digits with the dot that begins no fraction; at its end are the numbers.
BY_THE_SERVER = """
    select loid
      from unnest(%(loids)s::bigint[], %(suffixes)s::text[]) as sought (loid, suffix)
     where not exists (
               select from unnest(%(texts)s::text[]) as text,
                      regexp_matches(text, '[0-9]+(?:\\.[^0-9]|\\.$)?', 'g') as run
                where split_part(run[1], '.', 1) like '%%' || loid
                  and (strpos(run[1], '.') > 0 or suffix !~ '^[.][^0-9]')
           )
"""

LOIDS = st.sampled_from([16418, 16419, 64181, 116418, 1164181, 2147483648])
SUFFIXES = st.sampled_from(["", ".pdf", ".tar.gz", ".7z", "..x", ". x", ".Ä"])

# What is likely to hide a number, or to look like one.
PIECES = st.one_of(
    LOIDS.map(str),
    SUFFIXES,
    st.sampled_from([".", "..", "...", " ", "1", "0", "2024", "D", "\\", "\t", "\n", "\x7f", "٣"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3),
)
TEXTS = st.lists(PIECES, max_size=9).map("".join)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(LOIDS, SUFFIXES, min_size=1), st.lists(TEXTS, max_size=4))
def test_what_the_server_finds_is_found(names, texts):
    sought = Sought(
        f"{loid}{'D' if suffix[:1] == '.' and not suffix[1:2].isdigit() else ''}".encode()
        for loid, suffix in names.items()
    )
    with connection.cursor() as cursor:
        cursor.execute("create temporary table papers (text text) on commit drop")
        cursor.execute("insert into papers select unnest(%s::text[])", [texts])
        strike_all("default", ["select text from papers"], sought)
        cursor.execute("drop table papers")
        cursor.execute(
            BY_THE_SERVER,
            {"loids": list(names), "suffixes": list(names.values()), "texts": texts},
        )
        assert set(sought.left()) == {loid for (loid,) in cursor.fetchall()}


def test_nothing_is_sought():
    sought = Sought([])
    sought.strike(b"16418.pdf and 16419")
    assert sought.left() == []


def test_the_end_of_a_text_is_no_fraction():
    sought = Sought([b"16418D", b"16419"])
    sought.strike(b"16419, 16418.")
    assert sought.left() == []
