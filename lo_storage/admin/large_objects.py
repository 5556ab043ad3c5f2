"""The model's admin: a list, and a page for each file."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from ..database import db_for_write
from ..models import LargeObject
from ..storage import DbFileStorage
from ..templatetags.lo_storage import visible
from ..upkeep.columns import RowsElsewhere
from ..views import db_serve
from .lists import CappedPaginator, FileList, SizeFilter, TypeFilter
from .rows import may_see_a_row, rows_naming
from .searching import MAX_WORDS, search, words_of
from .statistics_page import context

OWNER = "select pg_get_userbyid(lomowner) from pg_largeobject_metadata where oid = %s"


@admin.register(LargeObject)
class LargeObjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    list_display = ["name", "shown_name", "size", "version", "created_at"]
    list_filter = [TypeFilter, SizeFilter, "created_at"]
    search_fields = ["original_name", "name", "sha256"]
    ordering = ["-created_at", "-loid"]
    sortable_by = ["created_at"]  # Of the others there is no index.
    list_per_page = 50
    paginator = CappedPaginator
    show_full_result_count = False
    readonly_fields = ["shown_name"]
    if hasattr(admin, "ShowFacets"):  # from Django 5.0
        show_facets = admin.ShowFacets.NEVER  # Each is a count of its own.

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [field for field in super().get_fields(request, obj) if field != "shown_name"]
        return ["shown_name" if field == "original_name" else field for field in fields]

    @admin.display(description=_lazy("original name"))
    def shown_name(self, file: LargeObject) -> str:
        return format_html("<bdi>{}</bdi>", visible(file.original_name))

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

    def get_urls(self) -> list[URLPattern]:
        download = path(
            "<path:object_id>/download/",
            self.admin_site.admin_view(self.download),
            name="lo_storage_largeobject_download",
        )
        statistics = path(
            "statistics/",
            self.admin_site.admin_view(self.statistics),
            name="lo_storage_largeobject_statistics",
        )
        return [statistics, download, *super().get_urls()]

    def statistics(self, request: HttpRequest) -> HttpResponseBase:
        """A page of what there is: how many files, how large, of which kind, whose."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return TemplateResponse(
            request,
            "admin/lo_storage/largeobject/statistics.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Statistics of files"),
                "opts": self.opts,
                **context(db_for_write(), "unnamed" in request.GET, self.admin_site.name),
            },
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        file = self.get_object(request, unquote(object_id))
        if file is not None and self.has_view_permission(request, file):
            extra_context = {**(extra_context or {}), **self._about(request, file)}
        return super().change_view(request, object_id, form_url, extra_context)

    def _about(self, request: HttpRequest, file: LargeObject) -> dict[str, Any]:
        """What the page of a file has beside the catalogue's row."""
        with connections[str(file._state.db)].cursor() as cursor:
            cursor.execute(OWNER, [file.loid])
            owner = cursor.fetchone()
        about = {
            "owner": owner and owner[0],
            "may_download": owner and self.has_download_permission(request, file),
        }
        try:
            return {**about, "columns": rows_naming(self.admin_site, request, file)}
        except RowsElsewhere as error:
            return {**about, "rows_elsewhere": str(error)}

    def has_download_permission(self, request: HttpRequest, file: LargeObject) -> bool:
        """Whether a user may have the content: a superuser, or who may see a row that names it.

        To look at the catalogue is another thing than to read all that there is, and so "view" does
        not do. Override it for another rule.
        """
        if request.user.is_superuser:
            return True
        try:
            return may_see_a_row(self.admin_site, request, file)
        except RowsElsewhere:
            return False

    def download(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Answer with the content, to be saved."""
        file = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, file):
            raise PermissionDenied
        if file is None:
            raise Http404(_("There is no such file."))
        if not self.has_download_permission(request, file):
            raise PermissionDenied
        return db_serve(
            request,
            file.name,
            storage=DbFileStorage(alias=file._state.db),
            as_attachment=True,
            cache_control="private, no-store",
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
