from django import template
from django.conf import settings
from django.utils.html import format_html

from ..balance import Balance
from ..experiment import FAILURES

register = template.Library()


@register.inclusion_tag("invoices/_balance.html")
def balance():
    return {"balance": Balance.now()}


@register.inclusion_tag("invoices/_experiment.html", takes_context=True)
def experiment(context, after):
    """The switch that makes the form's transaction fail. In the demo only."""
    chosen = context["request"].POST.get("experiment", "")
    return {"demo": settings.DEMO, "failures": FAILURES, "chosen": chosen, "after": after}


@register.filter
def eur(amount):
    """€1,234.50, or a dash for an amount that is not known yet."""
    return "–" if amount is None else f"€{amount:,.2f}"


@register.filter
def bytes_exactly(size):
    return format_html("{} bytes", f"{size:,}")
