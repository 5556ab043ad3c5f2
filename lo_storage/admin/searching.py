"""Find files by their names and their SHA-256, among however many."""

import re
from unicodedata import normalize

from django.db import connections
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.text import smart_split, unescape_string_literal

from ..models import LargeObject
from ..names import loid_of

# Of a search.
MAX_WORDS = 8

# As the index of migration 0004 has it.
_WORDS = """
    to_tsvector('simple', translate(left({name}, 255),
                                    '!"#$%%&''()*+,-./:;<=>?@[\\]^_`{{|}}~',
                                    '                                '))
"""
FOUND = f"{_WORDS.format(name='original_name')} @@ %s::tsquery"

# What begins with each word that PostgreSQL sees in a text; NULL where it sees none.
QUERY = f"""
    select string_agg(quote_literal(lexeme) || ':*', ' & '), count(*)
      from unnest({_WORDS.format(name="%s")})
"""

_SHA256 = re.compile("[0-9a-f]{64}", re.IGNORECASE)


def words_of(search_term: str) -> list[str]:
    """Return the words of a search; what stands in quotation marks is one."""
    return [
        unescape_string_literal(word) if word[0] in "\"'" and word[0] == word[-1] != word else word
        for word in smart_split(search_term)
    ]


def search(files: QuerySet[LargeObject], words: list[str]) -> QuerySet[LargeObject]:
    """Return those of the files that have each word at the beginning of one of their name's words.

    A single word may also be a stored name, the number in it, or a SHA-256. A name is found in
    whichever form of Unicode it came. One round trip for each word.
    """
    if len(words) == 1 and _SHA256.fullmatch(words[0]):
        return files.filter(sha256=words[0].lower())
    found = Q(pk__in=[])
    # As Windows and Linux have it, and as macOS does. (Not SQL's normalize(), which needs a
    # database in UTF-8.)
    composed = tuple(normalize("NFC", word) for word in words)
    decomposed = tuple(normalize("NFD", word) for word in words)
    for form in {composed, decomposed}:
        found |= _each(files.db, form)
    if len(words) == 1 and (loid := loid_of(words[0])):
        found |= Q(name=words[0])
        if words[0].isdecimal():
            found |= Q(pk=loid)
    return files.filter(found)


def _each(alias: str, words: tuple[str, ...]) -> Q:
    """Return the condition that a name has each of the words, of which there may be none."""
    conditions, queries = Q(), []
    with connections[alias].cursor() as cursor:
        for word in words:
            cursor.execute(QUERY, [word])
            query, number = cursor.fetchone()
            if query:
                queries.append(query)
            if number > 1:  # As they stand beside each other.
                conditions &= Q(original_name__icontains=word)
    if not queries:
        return Q(pk__in=[])
    sql = RawSQL(FOUND, [" & ".join(queries)], output_field=BooleanField())
    return Q(sql) & conditions
