"""The model's admin: a list, and a page for each file."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from ..models import LargeObject
from .lists import CappedPaginator, FileList, SizeFilter, TypeFilter
from .searching import MAX_WORDS, search, words_of


@admin.register(LargeObject)
class LargeObjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    list_display = ["name", "original_name", "size", "version", "created_at"]
    list_filter = [TypeFilter, SizeFilter, "created_at"]
    search_fields = ["original_name", "name", "sha256"]
    ordering = ["-created_at", "-loid"]
    sortable_by = ["created_at"]  # Of the others there is no index.
    list_per_page = 50
    paginator = CappedPaginator
    show_full_result_count = False
    if hasattr(admin, "ShowFacets"):  # from Django 5.0
        show_facets = admin.ShowFacets.NEVER  # Each is a count of its own.

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[FileList]:
        return FileList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LargeObject], search_term: str
    ) -> tuple[QuerySet[LargeObject], bool]:
        """Of the first words, by the index."""
        words = words_of(search_term)
        if len(words) > MAX_WORDS:
            message = _("Only the first %(count)s words were searched for.") % {"count": MAX_WORDS}
            self.message_user(request, message, messages.WARNING)
        return (search(queryset, words[:MAX_WORDS]) if words else queryset), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
