"""A panel for django-debug-toolbar: what a request did with large objects.

Add "lo_storage.panels.LargeObjectsPanel" to DEBUG_TOOLBAR_PANELS. Nothing else imports this module,
and nothing here is needed without the toolbar.
"""

from contextlib import suppress
from time import perf_counter
from typing import Any

from debug_toolbar.panels import Panel
from django.db import connections
from django.template.defaultfilters import pluralize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from . import catalogue, large_objects
from .database import GatheringCursor

__all__ = ["LargeObjectsPanel"]

# What each statement of the library is called on the page.
OPERATIONS = {
    catalogue.ADOPT: "adopt",
    catalogue.APPEND: "append",
    catalogue.COMPLETE: "complete",
    catalogue.CREATE: "create",
    catalogue.CREATE_MANY: "create",
    catalogue.DATE: "date",
    catalogue.FREE: "find a number",
    catalogue.DELETE: "delete",
    catalogue.FIND: "find",
    catalogue.FIND_AND_READ: "find and read",
    catalogue.NAMES: "list",
    catalogue.OPEN: "open",
    catalogue.READ_ROWS: "read",
    catalogue.READ_VERSION: "read",
    catalogue.SIZE: "size",
    catalogue.TRUNCATE: "truncate",
    catalogue.WRITE: "write",
    large_objects.CREATE: "create",
    large_objects.READ: "read",
    large_objects.READ_ROWS: "read",
    large_objects.SIZE: "size",
    large_objects.TRUNCATE: "truncate",
    large_objects.UNLINK: "unlink",
    large_objects.WRITE: "write",
}
with suppress(ModuleNotFoundError):  # A project may leave the uploads out.
    from .uploads import removing, staging

    OPERATIONS |= {
        staging.CREATE: "stage",
        staging.APPEND: "append",
        staging.ADOPT: "adopt",
        removing.CUT: "truncate",
    }

BYTEA = 17  # The OID of the type.
TABLE_ROW = "<tr>" + 6 * "<td>{}</td>" + "</tr>"


class LargeObjectsPanel(Panel):
    """Each operation on a large object: which one, how many bytes, round trips and milliseconds.

    What a response reads while it is sent, the content of a large file, is not in it: the toolbar
    has looked by then.
    """

    title = "Large objects"
    # Of each operation: what, which object, bytes sent and received, milliseconds, round trips.
    operations: list[list[Any]]

    @property
    def nav_subtitle(self) -> str:
        _, _, _, milliseconds, round_trips = self._totals()
        return f"{round_trips} round trip{pluralize(round_trips)} in {milliseconds:.1f} ms"

    @property
    def content(self) -> SafeString:
        operations = self.get_stats().get("operations", [])
        if not operations:
            return SafeString("<p>This request used no large object.</p>")
        return format_html(
            "<table><thead><tr><th>Operation</th><th>Object</th><th>Bytes sent</th>"
            "<th>Bytes received</th><th>Time</th><th>Round trips</th></tr></thead>"
            "<tbody>{}</tbody></table>",
            format_html_join("", TABLE_ROW, map(_cells, [*operations, ["Total", *self._totals()]])),
        )

    def enable_instrumentation(self) -> None:
        self.operations = []
        for connection in connections.all():
            connection.execute_wrappers.append(self._watch)

    def disable_instrumentation(self) -> None:
        for connection in connections.all():
            if self._watch in connection.execute_wrappers:
                connection.execute_wrappers.remove(self._watch)

    def generate_stats(self, request: Any, response: Any) -> None:
        self.record_stats({"operations": self.operations})

    def _totals(self) -> list[Any]:
        operations = self.get_stats().get("operations", [])
        return ["", *(sum(operation[i] for operation in operations) for i in range(2, 6))]

    def _watch(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        what = OPERATIONS.get(sql)
        if what is None:
            return execute(sql, params, many, context)
        name, received = "", 0
        start = perf_counter()
        try:
            result = execute(sql, params, many, context)
            name, received = _look_at(context["cursor"].cursor)
            return result
        finally:
            milliseconds = (perf_counter() - start) * 1000
            which = str(params.get("loid") or params.get("name") or name)
            done = [len(params.get("data", b"")), received, milliseconds, 1]
            if self.operations and self.operations[-1][:2] == [what, which]:
                done = [a + b for a, b in zip(self.operations.pop()[2:], done, strict=True)]
            self.operations.append([what, which, *done])


def _look_at(cursor: Any) -> tuple[str, int]:
    """Return (the name of an object in a result, how many bytes of content the result has)."""
    if isinstance(cursor, GatheringCursor):
        return "", sum(len(content) for *_, content in cursor.rows)
    name, received = "", 0
    result = cursor.pgresult
    for column in range(result.nfields):
        values = [result.get_value(row, column) for row in range(result.ntuples)]
        if result.ftype(column) == BYTEA:
            received += sum(len(value or b"") for value in values)
        elif result.fname(column) == b"name" and values:
            name = values[0].decode()
    return name, received


def _cells(operation: list[Any]) -> list[str]:
    what, which, sent, received, milliseconds, round_trips = operation
    sizes = [f"{size:,}" if size else "" for size in (sent, received)]
    return [what, which, *sizes, f"{milliseconds:.2f} ms", f"{round_trips:,}"]
