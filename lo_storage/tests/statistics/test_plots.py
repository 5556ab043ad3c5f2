from datetime import date

from lo_storage.statistics.figures import Month, Sum
from lo_storage.statistics.plots import Bar, Column, bars, columns


def test_a_month_without_files_has_its_place():
    months = [Month(date(2025, 12, 1), 1, 50), Month(date(2026, 3, 1), 2, 200)]
    assert columns(months) == [
        Column(date(2025, 12, 1), 1, 50, 2.5, 75, 20, 25),
        Column(date(2026, 1, 1), 0, 0, 27.5, 100, 20, 0),
        Column(date(2026, 2, 1), 0, 0, 52.5, 100, 20, 0),
        Column(date(2026, 3, 1), 2, 200, 77.5, 0, 20, 100),
    ]


def test_files_without_a_byte():
    ((*_, height),) = columns([Month(date(2026, 3, 1), 2, 0)])
    assert height == 0
    assert bars([Sum(".txt", 2, 0)]) == [Bar(".txt", 2, 0, 0)]


def test_nothing():
    assert columns([]) == []
    assert bars([]) == []


def test_the_longest_bar_is_that_of_most_bytes():
    assert bars([Sum(".pdf", 1, 30), Sum(".txt", 9, 10)]) == [
        Bar(".pdf", 1, 30, 100),
        Bar(".txt", 9, 10, 33.333),
    ]
