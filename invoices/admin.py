from contextlib import suppress

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.forms import ModelForm
from django.http import Http404
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.html import format_html

from config.uploads import TakesFiles
from lo_storage.models import LargeObject
from lo_storage.templatetags.lo_storage import visible
from lo_storage.uploads.forms import ResumableFileInput
from lo_storage.views import db_serve

from .amounts import AmountField
from .forms import InvoiceFileField
from .models import MAX_WORDS, Invoice


class FileLink(str):
    """A file in the admin: its original name, and an address that answers to staff.

    The address in `data.url` answers to the owner alone.
    """

    def __new__(cls, file):
        link = super().__new__(cls, visible(file.entry.original_name))
        link.url = reverse("admin:invoices_invoice_download", args=[file.instance.pk])
        return link


def entry_of(file):
    """What the catalogue knows of it: nothing of no file, or of one in a form that was refused."""
    with suppress(ValueError, FileNotFoundError):
        return file.entry


class FileWidget(ResumableFileInput):
    def format_value(self, value):
        return FileLink(value) if self.is_initial(value) else None


class InvoiceAdminForm(ModelForm):
    data = InvoiceFileField(label="File", required=False, widget=FileWidget)

    class Meta:
        model = Invoice
        fields = ["owner", "number", "title", "amount", "issued", "data"]
        field_classes = {"amount": AmountField}


@admin.register(Invoice)
class InvoiceAdmin(TakesFiles, admin.ModelAdmin):
    form = InvoiceAdminForm
    list_display = ["number", "title", "owner", "amount", "issued", "file"]
    list_filter = ["issued"]
    list_select_related = ["owner"]
    search_fields = ["search_text", "owner__username"]
    readonly_fields = ["file_size", "checksum", "created_at"]
    fields = [*InvoiceAdminForm.Meta.fields, *readonly_fields]

    def get_queryset(self, request):
        return super().get_queryset(request).with_entries()

    def get_search_results(self, request, queryset, search_term):
        if len(search_term.split()) > MAX_WORDS:
            message = f"Only the first {MAX_WORDS} words were searched for."
            self.message_user(request, message, messages.WARNING)
        return queryset.search(search_term, "owner__username"), False

    @admin.display(
        ordering=Subquery(
            LargeObject.objects.filter(name=OuterRef("data")).values("original_name"),
        )
    )
    def file(self, invoice):
        if not invoice.data:
            return None
        link = FileLink(invoice.data)
        return format_html('<a href="{}">{}</a>', link.url, link)

    @admin.display(description="size")
    def file_size(self, invoice):
        entry = entry_of(invoice.data)
        return entry and filesizeformat(entry.size)

    @admin.display(description="SHA-256")
    def checksum(self, invoice):
        entry = entry_of(invoice.data)
        return entry and entry.sha256

    def get_urls(self):
        download = path(
            "<int:pk>/download/",
            self.admin_site.admin_view(self.download),
            name="invoices_invoice_download",
        )
        return [download, *super().get_urls()]

    def download(self, request, pk):
        invoice = self.get_object(request, str(pk))
        if not self.has_view_permission(request, invoice):
            raise PermissionDenied
        if invoice is None or not invoice.data:
            raise Http404("There is no such file.")
        return db_serve(
            request, invoice.data.name, as_attachment=True, cache_control="private, no-store"
        )
