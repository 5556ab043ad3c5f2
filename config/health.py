"""Asks the server in this container whether it, and the database behind it, answer."""

import os
import sys
from urllib.request import urlopen

try:
    with urlopen(
        f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz/", timeout=4
    ) as answer:
        print(answer.read().decode())
except OSError as error:  # no connection, or an answer that is none
    sys.exit(str(error))
