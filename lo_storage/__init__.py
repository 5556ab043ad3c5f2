"""Files in PostgreSQL large objects that obey the transaction of the row that names them."""

import sys

if sys.version_info < (3, 12):  # noqa: UP036  # or else the first newer statement is a SyntaxError
    raise ImportError("lo_storage needs Python 3.12 or newer")
