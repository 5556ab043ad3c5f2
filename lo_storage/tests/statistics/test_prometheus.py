import re
from datetime import UTC, date, datetime

import pytest

from lo_storage.statistics.figures import Field, Figures, Month, Sum, Table, Unnamed
from lo_storage.statistics.prometheus import exposition
from lo_storage.upkeep.staged import Staged

FIGURES = Figures(
    database="default",
    at=datetime(2026, 11, 29, tzinfo=UTC),
    files=3,
    bytes=1234,
    missing=1,
    objects_of_others=2,
    tables=[Table("pg_largeobject", 16384, 5, 4096, None)],
    months=[Month(date(2026, 11, 1), 3, 1234)],
    types=[Sum(".pdf", 2, 1200), Sum("", 1, 34)],
    other_types=Sum("", 0, 0),
    fields=[Field("papers.Paper.data", 4, 3, 1234)],
    not_looked_at=[],
    owners=[Sum("app", 3, 1234)],
    largest=[],
    unnamed=Unnamed(1, 34, 0, ["public.papers.pickle (bytea)"]),
    staged=Staged(2, 70, 1),
)

# https://prometheus.io/docs/instrumenting/exposition_formats/, of the text format.
LINE = re.compile(
    r"# (HELP [a-z_]+ [^\n]+|TYPE [a-z_]+ gauge)"
    r'|[a-z_]+\{([a-z]+="([^"\\\n]|\\["\\n])*"(,(?!\})|(?=\})))+\} \d+'
)


def test_each_line_is_of_the_format_and_each_metric_stands_together():
    text = exposition(FIGURES)
    assert text.endswith("\n")
    lines = text.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    of = [re.search(r"lo_storage_\w+", line)[0] for line in lines]
    assert all(of.count(name) == len(of) - of[::-1].index(name) - of.index(name) for name in of)


@pytest.mark.parametrize(
    "line",
    [
        'lo_storage_files{database="default"} 3',
        'lo_storage_file_bytes{database="default"} 1234',
        'lo_storage_missing_objects{database="default"} 1',
        'lo_storage_other_objects{database="default"} 2',
        'lo_storage_table_bytes{database="default",table="pg_largeobject"} 16384',
        'lo_storage_table_bytes_max{database="default"} 35184372088832',
        'lo_storage_dead_bytes{database="default",table="pg_largeobject"} 4096',
        'lo_storage_type_files{database="default",suffix=".pdf"} 2',
        'lo_storage_type_bytes{database="default",suffix="other"} 0',
        'lo_storage_field_rows{database="default",field="papers.Paper.data"} 4',
        'lo_storage_owner_bytes{database="default",role="app"} 1234',
        'lo_storage_unnamed_files{database="default"} 1',
        'lo_storage_uncatalogued_objects{database="default"} 0',
        'lo_storage_not_searched_columns{database="default"} 1',
        'lo_storage_staged_bytes{database="default"} 70',
        'lo_storage_overdue_uploads{database="default"} 1',
        "# TYPE lo_storage_files gauge",
    ],
)
def test_a_sample(line):
    assert line in exposition(FIGURES).splitlines()


def test_what_was_not_looked_for_has_no_sample():
    """A 0 would say that nothing is wrong."""
    text = exposition(FIGURES._replace(unnamed=None, staged=None, fields=[]))
    assert "unnamed" not in text
    assert "field" not in text
    assert "uploads" not in text


def test_a_label_is_escaped():
    text = exposition(FIGURES._replace(owners=[Sum('a "b"\\\nc', 3, 1)]))
    assert 'role="a \\"b\\"\\\\\\nc"} 3' in text
    assert all(LINE.fullmatch(line) for line in text.splitlines())
