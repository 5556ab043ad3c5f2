"""A panel for django-debug-toolbar: what a request did with large objects.

Add "lo_storage.panels.LargeObjectsPanel" to DEBUG_TOOLBAR_PANELS. Nothing else imports this module,
and nothing here is needed without the toolbar.
"""

from time import perf_counter
from typing import Any

from debug_toolbar.panels import Panel
from django.db import connections
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from . import catalogue, large_objects

# The library's statements by their text: {"insert into …": "create"}.
STATEMENTS = {
    text: name.lower().replace("_", " ")
    for module in (large_objects, catalogue)
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str) and " " in text
}


class LargeObjectsPanel(Panel):
    """Each statement about a large object, with the object, the bytes sent and the time."""

    title = "Large objects"
    statements: list[tuple[str, str, int, float]]

    @property
    def nav_subtitle(self) -> str:
        statements = self.get_stats().get("statements", [])
        milliseconds = sum(statement[3] for statement in statements)
        return f"{len(statements)} round trips in {milliseconds:.1f} ms"

    @property
    def content(self) -> SafeString:
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            [
                (what, which, size or "", f"{milliseconds:.2f} ms")
                for what, which, size, milliseconds in self.get_stats().get("statements", [])
            ],
        )
        return format_html(
            "<table><thead><tr><th>Statement</th><th>Object</th><th>Bytes sent</th><th>Time</th>"
            "</tr></thead><tbody>{}</tbody></table>",
            rows,
        )

    def enable_instrumentation(self) -> None:
        self.statements = []
        for connection in connections.all():
            connection.execute_wrappers.append(self._time)

    def disable_instrumentation(self) -> None:
        for connection in connections.all():
            if self._time in connection.execute_wrappers:
                connection.execute_wrappers.remove(self._time)

    def generate_stats(self, request: Any, response: Any) -> None:
        self.record_stats({"statements": self.statements})

    def _time(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        what = STATEMENTS.get(sql)
        if what is None:
            return execute(sql, params, many, context)
        which = params.get("loid") or params.get("name") or params.get("original_name") or ""
        start = perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            milliseconds = (perf_counter() - start) * 1000
            size = len(params.get("data", b""))
            self.statements.append((what, str(which), size, milliseconds))
