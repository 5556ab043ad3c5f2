"""A list of files that takes as long among a million of them as among a thousand."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from ..models import LargeObject
from ..names import suffix_of

# Of a list. Nobody turns more pages, and to count a million takes 0.1 s.
MOST = 1000

MB = 1024 * 1024


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Counts no further than `MOST`."""

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST)

    @property
    def is_cut(self) -> bool:
        return self._counted > MOST

    @cached_property
    def _counted(self) -> int:
        if hasattr(self.object_list, "counted"):  # by `FileList`
            return int(self.object_list.counted)
        files: Any = self.object_list
        return int(files.order_by()[: MOST + 1].count())


class FileList(ChangeList):
    """Looks for the files of a search or a filter only once, and in no order.

    In order PostgreSQL reads the newest files until it has a page full: of what is rarer than it
    thinks, the whole table. (Measured: 24 s, for a word that was not there.)
    """

    def get_queryset(self, *args: Any, **kwargs: Any) -> Any:
        files: Any = super().get_queryset(*args, **kwargs)
        if not (self.query or self.has_active_filters):
            return files
        found = list(files.order_by().values_list("pk", flat=True)[: MOST + 1])
        if len(found) <= MOST:
            files = self.root_queryset.filter(pk__in=found).order_by(*files.query.order_by)
        files.counted = len(found)
        return files


class TypeFilter(admin.SimpleListFilter):
    """By the end of the stored name. The newest files tell which there are."""

    title = _("type")
    parameter_name = "type"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        newest = model_admin.get_queryset(request).order_by("-created_at", "-loid")
        names = newest.values_list("name", flat=True)[:MOST]
        types = {suffix_of(name).lower() for name in names}
        chosen = request.GET.get(self.parameter_name)
        types |= {chosen.lower()} if chosen and chosen != "none" else set()
        return [(one or "none", one or _("none")) for one in sorted(types)]

    def queryset(self, request: Any, files: QuerySet[LargeObject]) -> QuerySet[LargeObject]:
        match self.value():
            case None:
                return files
            case "none":
                return files.exclude(name__contains=".")
            case suffix:
                sql = """lower(name collate "C") like '%%' || %s"""
                literal = (
                    suffix.lower().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
                )
                return files.filter(Q(RawSQL(sql, [literal], output_field=BooleanField())))


class SizeFilter(admin.SimpleListFilter):
    title = _("size")
    parameter_name = "size"

    SIZES = {
        "empty": (_("Empty"), 0, 1),
        "small": (_("Up to 1 MB"), 1, MB),
        "medium": (_("1 to 10 MB"), MB, 10 * MB),
        "large": (_("10 to 100 MB"), 10 * MB, 100 * MB),
        "huge": (_("From 100 MB"), 100 * MB, None),
    }

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [(key, label) for key, (label, *_) in self.SIZES.items()]

    def queryset(self, request: Any, files: QuerySet[LargeObject]) -> QuerySet[LargeObject]:
        if self.value() not in self.SIZES:
            return files
        _label, least, below = self.SIZES[self.value() or ""]
        files = files.filter(size__gte=least)
        return files if below is None else files.filter(size__lt=below)
