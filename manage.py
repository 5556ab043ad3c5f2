#!/usr/bin/env python
import os
import sys
from contextlib import contextmanager


@contextmanager
def one_sentence():
    """End with what happened and what to do; a traceback would not help whoever can mend it."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError

    from config.embedded_postgres import StartError

    try:
        yield
    except (ImproperlyConfigured, OperationalError, StartError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    with one_sentence():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
