"""Asks the server in this container whether it, and the database behind it, answer."""

import os
import sys
from urllib.request import Request, urlopen

host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".*") or "localhost"
request = Request("http://127.0.0.1:8000/healthz/", headers={"Host": host})
try:
    with urlopen(request, timeout=4) as answer:
        print(answer.read().decode())
except OSError as error:  # no connection, or an answer that is none
    sys.exit(str(error))
