import logging
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import DataError, IntegrityError, connection, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from config.errors import AWAY
from config.uploads import takes_files
from lo_storage.uploads.staging import UploadGone
from lo_storage.views import db_serve

from . import links
from .batches import UploadForm
from .experiment import BrokenOnPurpose, experiment
from .forms import DeleteForm, InvoiceForm, LinkForm, ReplaceForm, SearchForm
from .models import Invoice
from .staged import Look, find_one, look_at, serve
from .texts import read_text

PAGE_SIZE = 20

NOT_SAVED = "The database cannot save this now. Nothing was changed; try again."
NOT_TAKEN = (
    "The database does not take what was entered. Nothing was changed: enter something else,"
    " or tell who runs this site."
)
UNKNOWN = (
    "The database went away at the last moment, so this may have been done or not."
    " Send it again: nothing is done twice."
)
NO_UPLOAD = (
    "A file was saved by another form in the meantime, or is gone. Look whether its invoice is"
    " there; if not, choose the file again."
)

logger = logging.getLogger(__name__)


def posted(request):
    """The arguments that bind a form to what was sent; for a GET there are none."""
    return (request.POST, request.FILES) if request.method == "POST" else ()


def mine(request):
    """The invoices that this user may see. Each view begins here, so nobody else's can be named."""
    return Invoice.objects.filter(owner=request.user).with_entries()


def lock(request, pk):
    """Return my invoice, as it is now, and let nobody else change it until COMMIT.

    What was deleted in the meantime is not found. (`save()` would insert the row again.)
    """
    return get_object_or_404(request.user.invoices.select_for_update(), pk=pk)


@contextmanager
def told_in(form):
    """The form shows why the block failed.

    It stands outside of `atomic()`: there everything has been undone, and there arrives what the
    database refuses only at COMMIT, when the last line of the block has long succeeded, or already
    at BEGIN, before the first.
    """
    try:
        yield
    except IntegrityError as error:
        explain(error, form)
    except DataError:
        logger.exception("The database does not take a form")
        form.add_error(None, NOT_TAKEN)
    except AWAY:
        logger.exception("The database could not save a form")
        # Whoever broke off at COMMIT may have done it, and nobody has heard of it.
        form.is_open = getattr(form, "committed_by", None) and form.committed_by.closed
        form.add_error(None, UNKNOWN if form.is_open else NOT_SAVED)
        connection.close_if_unusable_or_obsolete()  # The page asks it again.
    except UploadGone:
        form.add_error(None, NO_UPLOAD)
    except BrokenOnPurpose as error:
        form.add_error(None, str(error))


@contextmanager
def until_commit(form):
    """Innermost of `atomic()`: where the block ends well, COMMIT comes next, by this connection."""
    yield
    form.committed_by = connection.connection


def explain(error, form):
    """Put the sentence that the model has for the constraint that refused beside its field."""
    field, message = None, "The database refused this: other data would no longer be right."
    refused_by = error.__cause__ and error.__cause__.diag.constraint_name
    for constraint in Invoice._meta.constraints:
        if constraint.name == refused_by:
            message = constraint.get_violation_error_message()
            of_constraint = {*getattr(constraint, "fields", ()), getattr(constraint, "field", None)}
            field = next((name for name in form.fields if name in of_constraint), None)
    form.add_error(field, message)


@login_required
@require_safe
def invoice_list(request):
    form = SearchForm(request.GET)
    words = form.cleaned_data["q"] if form.is_valid() else ""
    page = Paginator(mine(request).search(words), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "invoices/list.html", {"form": form, "words": words, "page": page})


@login_required
@takes_files
def invoice_upload(request):
    instance = Invoice(owner=request.user)
    form = UploadForm(*posted(request), instance=instance)
    if form.is_valid():
        with told_in(form), transaction.atomic(), until_commit(form), experiment(request):
            invoices = form.save()
        if form.is_valid():
            return uploaded(request, invoices)
    # A click too many finds its files saved: by the first, and perhaps while it was looked at.
    elif before := form.saved_before():
        return uploaded(request, before)
    return render(request, "invoices/upload.html", {"form": form})


def uploaded(request, invoices):
    if len(invoices) == 1:
        messages.success(request, f"Invoice {invoices[0].number} was uploaded.")
        return redirect(invoices[0])
    messages.success(request, f"{len(invoices)} invoices were uploaded.")
    return redirect("invoices:list")


@login_required
@require_safe
def invoice_detail(request, pk):
    invoice = get_object_or_404(mine(request), pk=pk)
    form = LinkForm(request.GET)
    context = {"invoice": invoice, "link_form": form}
    if invoice.data and invoice.preview == "text":
        context["text"] = read_text(invoice.data)
    if invoice.data and form.is_valid():
        expires = timezone.now() + timedelta(days=form.cleaned_data["days"])
        address = reverse("invoices:linked", args=[links.token_for(invoice, expires)])
        context |= {"link": request.build_absolute_uri(address), "expires": expires}
    return render(request, "invoices/detail.html", context)


@login_required
def invoice_edit(request, pk):
    invoice = get_object_or_404(mine(request), pk=pk)
    form = InvoiceForm(*posted(request), instance=invoice)
    if form.is_valid():
        with told_in(form), transaction.atomic(), until_commit(form):
            before = lock(request, pk)
            form.instance.save(update_fields=form.fields)  # what else has changed meanwhile stays
        if form.is_valid():
            changed = any(getattr(before, name) != form.cleaned_data[name] for name in form.fields)
            done = "The changes were saved." if changed else "Nothing was changed."
            messages.success(request, done)
            return redirect(invoice)
    return render(request, "invoices/edit.html", {"form": form, "invoice": invoice})


@login_required
@takes_files
def invoice_replace(request, pk):
    invoice = get_object_or_404(mine(request), pk=pk)
    old = invoice.data.name
    done = "replaced" if old else "added"
    form = ReplaceForm(*posted(request), instance=invoice)
    if form.is_valid() and (not old or form.is_confirmed()):
        with told_in(form), transaction.atomic(), until_commit(form), experiment(request):
            lock(request, pk)
            # The receiver deletes the old file, in the same transaction.
            form.instance.save(update_fields=["data"])
        if form.is_valid():
            messages.success(request, f"The file was {done}.")
            return redirect(invoice)
    invoice = get_object_or_404(mine(request), pk=pk)  # as it is, and not as it was to be
    new = form.new_file()
    context = {"form": form, "invoice": invoice, "look": new and Look(new, None)}
    return render(request, "invoices/replace.html", context)


@login_required
@require_safe
def staged_looks(request):
    """What the page shows of files that have come whole, by their ids; asked for by a script."""
    try:
        ids = [UUID(id) for id in request.GET.getlist("id")[: settings.UPLOAD_MAX_BATCH_FILES]]
    except ValueError as error:
        raise Http404("This is no id.") from error
    part = "_new" if "beside" in request.GET else "_look"
    context = {"looks": look_at(request.user, *ids), "part": f"invoices/{part}.html"}
    return render(request, "invoices/looks.html", context)


@login_required
@require_safe
@xframe_options_sameorigin
def staged_serve(request, id):
    return serve(request, find_one(request.user, id))


@login_required
def invoice_delete(request, pk):
    invoice = get_object_or_404(mine(request), pk=pk)
    form = DeleteForm(*posted(request))
    if form.is_valid():
        with told_in(form), transaction.atomic(), until_commit(form), experiment(request):
            lock(request, pk).delete()  # The receiver deletes the file, too.
        if form.is_valid():
            deleted = "and its file were deleted" if invoice.data else "was deleted"
            messages.success(request, f"Invoice {invoice.number} {deleted}.")
            return redirect("invoices:list")
    return render(request, "invoices/delete.html", {"form": form, "invoice": invoice})


@login_required
@require_safe
@xframe_options_sameorigin  # The preview is an iframe.
def invoice_serve(request, filename):
    # Someone else's file and none at all are the same row that is not found: one answer for both.
    if not Invoice.objects.filter(owner=request.user, data=filename).exists():
        raise Http404("There is no such file.")
    return db_serve(
        request,
        filename,
        as_attachment="download" in request.GET or None,
        cache_control="private, no-store",  # Who signs out leaves nothing in the browser.
    )


@require_safe
def invoice_linked(request, token):
    # Who has the link needs no account. Forged, expired, its file gone: one answer for all.
    invoice = links.invoice_for(token)
    if invoice is None:
        raise Http404("There is no such file.")
    # The address is the key: once it has ended no cache has the file, and it goes nowhere else.
    response = db_serve(
        request, invoice.data.name, as_attachment=True, cache_control="private, no-store"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
