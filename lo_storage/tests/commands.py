from io import StringIO

from django.core.management import call_command


def run(command, **options):
    out = StringIO()
    call_command(command, stdout=out, stderr=out, **options)
    return out.getvalue()
