"""What the page of statistics shows: the figures, as bars, with links into the list."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg import errors

from ..statistics.figures import Month, Sum, gather
from ..statistics.plots import bars, columns
from ..upkeep.columns import RowsElsewhere

LIST = "admin:lo_storage_largeobject_changelist"
PAGE = "admin:lo_storage_largeobject_change"


def context(alias: str, find_unnamed: bool, site: str) -> dict[str, Any]:
    """Return what the template needs.

    Arguments:

    - `alias`: the database.
    - `find_unnamed`: as in `gather`.
    - `site`: the name of the admin site, for the links.
    """
    try:
        figures = gather(alias, find_unnamed)
    except RowsElsewhere as error:
        return {"problem": str(error)}
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.QueryCanceled):
            raise
        return {"problem": _("It takes longer than a page may. Run manage.py lo_stats instead.")}
    files = reverse(LIST, current_app=site)
    types = [
        (f"{files}?{urlencode({'type': one.name or 'none'})}", one._replace(name=_name(one.name)))
        for one in bars(figures.types)
    ]
    if figures.other_types.files:
        others = figures.other_types._replace(name=_("Others"))
        types.append(("", bars([*figures.types, others])[-1]))
    fields = [Sum(one.name, one.files, one.bytes) for one in figures.fields]
    every = columns(figures.months)
    return {
        "figures": figures,
        "columns": every,
        "most": max((one.bytes for one in every), default=0),
        "months": [
            (f"{files}?{urlencode(_of_month(one))}", one) for one in reversed(figures.months)
        ],
        "plots": [
            (_("By type"), _("Type"), types),
            (_("By field"), _("Field"), [("", one) for one in bars(fields)]),
            (_("By owner"), _("Role"), [("", one) for one in bars(figures.owners)]),
        ],
        "largest": [
            (reverse(PAGE, args=[one.name.partition(".")[0]], current_app=site), one)
            for one in figures.largest
        ],
    }


def _name(suffix: str) -> str:
    return suffix or _("none")


def _of_month(one: Month) -> dict[str, str]:
    """Return what the list's filter by date takes."""
    first = one.month
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    zone = timezone.get_current_timezone()
    bounds = [datetime(day.year, day.month, 1, tzinfo=zone) for day in (first, after)]
    return dict(
        zip(
            ("created_at__gte", "created_at__lt"),
            (str(bound.astimezone(UTC)) for bound in bounds),
            strict=True,
        )
    )
