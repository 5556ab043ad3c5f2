from io import StringIO

from lo_storage.management.progress import Progress


class Terminal(StringIO):
    def isatty(self):
        return True


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


def test_a_terminal_sees_how_far_how_fast_and_how_long():
    clock, terminal = Clock(), Terminal()
    with Progress(terminal, "Files", 4000, now=clock) as bar:
        clock.seconds = 2.0
        bar.add(1000)
        assert bar.line() == "Files [#####               ]  25% of 4,000, 500/s, 0:06 left"
    shown = terminal.getvalue().split("\r\x1b[K")
    assert shown == [
        "",
        "Files [                    ]   0% of 4,000",
        "Files [#####               ]  25% of 4,000, 500/s, 0:06 left",
        "",  # and nothing is left of it
    ]


def test_a_terminal_is_not_flooded():
    clock, terminal = Clock(), Terminal()
    with Progress(terminal, "Files", 4000, now=clock) as bar:
        for _ in range(1000):
            clock.seconds += 0.001
            bar.add(1)
    assert 4 <= terminal.getvalue().count("Files") <= 7


def test_a_line_of_output_has_the_terminal_for_itself():
    terminal = Terminal()
    with Progress(terminal, "Files", 2, now=Clock()) as bar:
        bar.hide()
        assert terminal.getvalue().endswith("\r\x1b[K")
        bar.add(1)
        assert terminal.getvalue().endswith("50% of 2")


def test_one_statement_has_a_name_alone():
    assert Progress(Terminal(), "Large objects", 0).line() == "Large objects …"


def test_more_than_was_there_at_first_is_all_of_it():
    clock = Clock()
    bar = Progress(Terminal(), "Bytes", 10, lambda amount: f"{amount:.0f} B", now=clock)
    clock.seconds = 1.0
    bar.add(20)
    assert bar.line() == "Bytes [####################] 100% of 10 B, 20 B/s, 0:00 left"


def test_a_file_gets_nothing():
    file = StringIO()
    with Progress(file, "Files", 2) as bar:
        bar.add(1)
        bar.hide()
    assert file.getvalue() == ""
