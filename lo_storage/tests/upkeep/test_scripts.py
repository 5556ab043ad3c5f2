from functools import partial
from io import BytesIO

import pytest

from lo_storage.upkeep.scripts import Script

TRICKY = """\
-- COPY a (b) FROM stdin; it's
SET client_encoding = 'UTF8';
COMMENT ON TABLE a IS 'it''s; ''
INSERT INTO b';
COMMENT ON TABLE a IS E'it\\'s; \\\\''
\\\\';
CREATE FUNCTION f() AS $_X$ $_; $_X '$$' "
;
\\$_X$;
COMMENT ON COLUMN "a""$$;\n" IS 'e';
SELECT $1 - 2 / 3 -- it's;
;
CREATE FUNCTION g()
BEGIN ATOMIC
 SELECT 1;
 INSERT INTO a$a$ VALUES (1); INSERT INTO a VALUES (2);
END;
"""


@pytest.mark.parametrize("size", [*range(2, 60), 1000])
def test_a_statement_ends_where_it_ends_wherever_a_long_line_is_cut(size):
    script = Script(partial(BytesIO(TRICKY.encode()).readline, size))
    assert list(script.statements()) == [
        b"SET client_encoding = 'UTF8';\n",
        b"COMMENT ON TABLE a IS 'it''s; ''\nINSERT INTO b';\n",
        b"COMMENT ON TABLE a IS E'it\\'s; \\\\''\n\\\\';\n",
        b"CREATE FUNCTION f() AS $_X$ $_; $_X '$$' \"\n;\n\\$_X$;\n",
        b'COMMENT ON COLUMN "a""$$;\n" IS \'e\';\n',
        b"SELECT $1 - 2 / 3 -- it's;\n;\n",
        b"CREATE FUNCTION g()\nBEGIN ATOMIC\n SELECT 1;\n",
        b" INSERT INTO a$a$ VALUES (1);",
        b"  INSERT INTO a VALUES (2);\n",
        b"END;\n",
    ]


@pytest.mark.parametrize("size", [3, 4, 7, 1000])
def test_lines_are_read_up_to_their_end(size):
    script = Script(partial(BytesIO(b"COPY a (b) FROM stdin;\n1\t\\.\n\\.\nEND;\n").readline, size))
    statements = script.statements()
    assert next(statements) == b"COPY a (b) FROM stdin;\n"
    assert list(script.lines(b"\\.\n")) == [b"1\t\\.\n"[:size]]
    assert list(statements) == [b"END;\n"]


def test_a_line_that_never_comes_is_missed():
    with pytest.raises(EOFError):
        list(Script(BytesIO(b"1\n").readline).lines(b"\\.\n"))
