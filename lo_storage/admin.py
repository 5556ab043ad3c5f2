"""The catalogue in Django's admin, to look at: a file comes and goes with the row that names it."""

from typing import Any
from unicodedata import normalize

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import smart_split
from django.utils.translation import gettext as _

from .models import LargeObject

# Of a search. Each is looked for in each row.
MAX_WORDS = 8


@admin.register(LargeObject)
class LargeObjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    list_display = ["name", "original_name", "size", "version", "modified_at"]
    search_fields = ["name", "original_name", "sha256"]
    ordering = ["-loid"]
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LargeObject], search_term: str
    ) -> tuple[QuerySet[LargeObject], bool]:
        """As Django's, of the first words; a name is found in whichever form of Unicode it came."""
        words = list(smart_split(search_term))
        if len(words) > MAX_WORDS:
            message = _("Only the first %(count)s words were searched for.") % {"count": MAX_WORDS}
            self.message_user(request, message, messages.WARNING)
        first = " ".join(words[:MAX_WORDS])
        found, duplicates = super().get_search_results(request, queryset, normalize("NFC", first))
        if not first.isascii():
            # As macOS has them. (Not SQL's normalize(), which needs a database in UTF-8.)
            found |= super().get_search_results(request, queryset, normalize("NFD", first))[0]
        return found, duplicates

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
