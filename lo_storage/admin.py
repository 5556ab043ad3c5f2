"""The catalogue in Django's admin, to look at: a file comes and goes with the row that names it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import LargeObject


@admin.register(LargeObject)
class LargeObjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    list_display = ["name", "original_name", "size", "version", "modified_at"]
    search_fields = ["name", "original_name", "sha256"]
    ordering = ["-loid"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
