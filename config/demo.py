"""What bin/demo runs, in one process, so that the embedded PostgreSQL starts and stops once."""

import os
import signal
import socket
import sys
from contextlib import suppress

from manage import one_sentence

PEOPLE = {"alice": True, "bob": False}  # and whether they are superusers
PASSWORD = "demo"


def free_port(first: int) -> int:
    """Return `first`, or the next port that nobody listens on."""
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except PermissionError:
                sys.exit(f"Port {port} is not for ordinary users. Choose one: bin/demo 8000")
            except OSError:
                print(f"Port {port} is taken.")
            else:
                return port
    sys.exit("No port is free. Choose one: bin/demo 9000")


def people():
    """Return two users with a known password, by name, and make who is not there yet."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.exceptions import ImproperlyConfigured

    if not (settings.DEBUG or settings.DEMO):
        raise ImproperlyConfigured("The demo's people have a known password: set DEMO or DEBUG.")
    users = {}
    for name, admin in PEOPLE.items():
        users[name], created = get_user_model().objects.get_or_create(
            username=name,
            defaults={
                "email": f"{name}@example.com",
                "is_staff": admin,
                "is_superuser": admin,
            },
        )
        if created:
            users[name].set_password(PASSWORD)
            users[name].save()
    return users


def serve(first_port: int) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    people()
    call_command("demo_data")  # invoices
    port = free_port(first_port)
    print("Sign in as alice or bob, password demo; alice may use the admin.")
    print(f"\n  http://localhost:{port}   (Ctrl-C ends it)\n", flush=True)
    with open(os.devnull, "w") as quiet:
        call_command("runserver", f"127.0.0.1:{port}", use_reloader=False, stdout=quiet)


def main() -> None:
    from django.conf import settings
    from django.utils import autoreload

    argument = sys.argv[1] if len(sys.argv) > 1 else "8000"
    if not (argument.isascii() and argument.isdecimal() and 0 < int(argument) < 65536):
        sys.exit(f"bin/demo takes a port from 1 to 65535, not {argument!r}")
    # Both end it, also where a shell started it in the background and had SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    # The process that watches has looked at the settings before the one that serves.
    if autoreload.DJANGO_AUTORELOAD_ENV in os.environ or settings.DEBUG:
        autoreload.run_with_reloader(serve, int(argument))
    else:
        serve(int(argument))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with one_sentence(), suppress(KeyboardInterrupt):
        main()
