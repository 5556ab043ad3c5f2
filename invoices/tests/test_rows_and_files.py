"""What the receivers do, and what the database does when no receiver runs."""

from contextlib import closing, contextmanager

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction

from invoices.models import Invoice

from .conftest import content_of, large_objects
from .conftest import replace as replace_by_the_page

# A transaction of its own in each test: the database acts at COMMIT.
pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def undone():
    """A transaction, or a savepoint inside of one, that is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def exists(name):
    return Invoice.data.field.storage.exists(name)


def new_file():
    return ContentFile(b"new", name="new.pdf")


@pytest.fixture
def invoice(alice, invoice_of):
    return invoice_of(alice, b"old")


@contextmanager
def meanwhile(change):
    """Let another session commit a change when this one is about to lock the invoice."""
    changes = [change]

    def wrapper(execute, sql, *arguments):
        if changes and "FOR UPDATE" in sql:
            with closing(connection.copy()) as other, other.cursor() as cursor:
                cursor.execute(*changes.pop())
        return execute(sql, *arguments)

    with connection.execute_wrapper(wrapper):
        yield


class TestTwoPeople:
    """One changes what the other does not: both changes are there."""

    def test_an_edit_keeps_a_file_that_was_replaced_meanwhile(self, invoice, signed_in):
        with transaction.atomic():
            name = invoice.data.storage.save("new.pdf", new_file())
        change = ("update invoices_invoice set data = %s", [name])
        fields = {"title": "Mended", "number": invoice.number, "issued": "2026-03-02"}
        with meanwhile(change):
            signed_in(invoice.owner).post(f"/{invoice.pk}/edit/", fields)
        invoice.refresh_from_db()
        assert (invoice.title, invoice.data.name) == ("Mended", name)

    def test_a_replace_keeps_a_title_that_was_mended_meanwhile(self, invoice, signed_in):
        with meanwhile(("update invoices_invoice set title = 'Mended'",)):
            replace_by_the_page(signed_in(invoice.owner), invoice, "new.pdf", b"new")
        invoice.refresh_from_db()
        assert (invoice.title, content_of(invoice)) == ("Mended", b"new")


class TestReceivers:
    """Inside of the transaction the file is gone at once."""

    def test_a_replaced_file_is_deleted(self, invoice):
        old = invoice.data.name
        with transaction.atomic():
            invoice.data = new_file()
            invoice.save()
            assert not exists(old)
        assert content_of(invoice) == b"new"

    def test_the_file_of_a_deleted_invoice_is_deleted(self, invoice):
        with transaction.atomic():
            invoice.delete()
            assert not exists(invoice.data.name)

    def test_a_cleared_file_is_deleted(self, invoice):
        old = invoice.data.name
        with transaction.atomic():
            invoice.data = None
            invoice.save()
            assert not exists(old)

    def test_files_replaced_one_after_the_other_are_all_deleted(self, invoice):
        before = large_objects()
        with transaction.atomic():
            for _ in range(3):
                invoice.data = new_file()
                invoice.save()
            assert large_objects() == before

    def test_a_save_of_something_else_keeps_the_file(self, invoice):
        invoice.title = "Rent"
        invoice.save()
        assert content_of(invoice) == b"old"

    def test_a_save_without_the_file_keeps_it(self, invoice):
        old = invoice.data.name
        invoice.data = new_file()
        invoice.save(update_fields=["title"])
        assert exists(old)
        invoice.save(update_fields=["data"])
        assert not exists(old)

    def test_a_file_named_like_a_stored_one_does_not_delete_that_one(self, invoice, invoice_of):
        other = invoice_of(invoice.owner, b"other", name=invoice.data.name)
        other.data = ContentFile(b"again", name=invoice.data.name)
        other.save()
        Invoice(
            pk=other.pk,
            owner=other.owner,
            number=other.number,
            data=ContentFile(b"third", name=invoice.data.name),
            created_at=other.created_at,
        ).save()
        assert content_of(invoice) == b"old"

    def test_a_deferred_file_is_not_loaded_by_the_receivers(
        self, invoice, django_assert_num_queries
    ):
        with django_assert_num_queries(1):
            [found] = Invoice.objects.only("title")
        found.title = "Rent"
        found.save()
        assert "data" in found.get_deferred_fields()
        assert content_of(invoice) == b"old"

    def test_a_deferred_file_that_was_loaded_is_deleted_when_it_is_replaced(self, invoice):
        found = Invoice.objects.defer("data").get()
        assert found.data.name == invoice.data.name
        with transaction.atomic():
            found.data = new_file()
            found.save()
            assert not exists(invoice.data.name)

    def test_a_replace_of_an_unloaded_file_deletes_the_old_one(self, invoice):
        found = Invoice.objects.only("title").get()
        found.data = new_file()
        with transaction.atomic():
            found.save()
            assert not exists(invoice.data.name)

    def test_the_unloaded_file_of_a_deleted_invoice_is_deleted(self, invoice):
        found = Invoice.objects.only("title").get()
        with transaction.atomic():
            found.delete()
            assert not exists(invoice.data.name)

    def test_a_stale_instance_deletes_the_file_that_the_row_has(self, invoice):
        stale = Invoice.objects.get()
        invoice.data = new_file()
        invoice.save()
        with transaction.atomic():
            stale.data = ContentFile(b"third", name="third.pdf")
            stale.save()
            assert not exists(invoice.data.name)
        assert content_of(Invoice.objects.get()) == b"third"

    def test_after_a_refresh_the_file_of_the_row_counts(self, invoice):
        stale = Invoice.objects.get()
        invoice.data = new_file()
        invoice.save()
        stale.refresh_from_db()
        with transaction.atomic():
            stale.data = None
            stale.save()
            assert not exists(invoice.data.name)

    def test_a_refresh_of_something_else_forgets_nothing(self, invoice):
        old = invoice.data.name
        invoice.data = new_file()
        invoice.refresh_from_db(fields=["title"])
        with transaction.atomic():
            invoice.save()
            assert not exists(old)

    def test_the_files_of_a_deleted_user_are_deleted(self, invoice):
        with transaction.atomic():
            invoice.owner.delete()
            assert not exists(invoice.data.name)


def delete(row):
    row.delete()


def clear(row):
    row.data = None
    row.save()


def replace(row):
    row.data = new_file()
    row.save()


class TestTwoRowsOfOneFile:
    """A row is easily copied: with `pk = None` by a program, by an admin's "save as new"."""

    @pytest.fixture
    def copy(self, invoice):
        copy = Invoice.objects.get()
        copy.pk, copy.number = None, "copy"
        copy.save()
        assert copy.data.name == invoice.data.name
        return copy

    @pytest.mark.parametrize("let_go", [delete, clear, replace])
    def test_one_lets_go_and_the_other_keeps_it(self, let_go, invoice, copy):
        let_go(copy)
        assert content_of(Invoice.objects.get(pk=invoice.pk)) == b"old"

    @pytest.mark.parametrize("let_go", [delete, clear, replace])
    def test_the_last_one_that_lets_go_deletes_it(self, let_go, invoice, copy):
        let_go(copy)
        with transaction.atomic():
            let_go(Invoice.objects.get(pk=invoice.pk))
            assert not exists(invoice.data.name)

    @pytest.mark.parametrize("let_go", [delete, clear, replace])
    def test_both_let_go_in_one_transaction(self, let_go, invoice, copy):
        with transaction.atomic():
            for row in [invoice, copy]:
                let_go(Invoice.objects.get(pk=row.pk))
            assert not exists(invoice.data.name)

    def test_one_query_deletes_both(self, invoice, copy):
        before = large_objects()
        Invoice.objects.all().delete()
        assert large_objects() == before - 1


class TestRollback:
    def test_of_a_new_invoice_leaves_no_file(self, alice, invoice_of):
        before = large_objects()
        with undone():
            invoice_of(alice)
            assert large_objects() == before + 1
        assert large_objects() == before

    def test_of_a_replace_keeps_the_old_file(self, invoice):
        before = large_objects()
        with undone():
            invoice.data = new_file()
            invoice.save()
        assert content_of(Invoice.objects.get()) == b"old"
        assert large_objects() == before

    def test_of_a_delete_keeps_the_file(self, invoice):
        with undone():
            invoice.delete()
        assert content_of(Invoice.objects.get()) == b"old"

    def test_to_a_savepoint_undoes_only_what_came_after_it(self, invoice):
        with transaction.atomic():
            invoice.data = ContentFile(b"first", name="first.pdf")
            invoice.save()
            with undone():
                Invoice.objects.get().delete()
        assert content_of(Invoice.objects.get()) == b"first"


class TestDatabase:
    """No receiver runs here, and nothing is left behind all the same."""

    def test_update_deletes_the_files_at_commit(self, invoice):
        with transaction.atomic():
            Invoice.objects.update(data=None)
            assert exists(invoice.data.name)
        assert not exists(invoice.data.name)

    def test_bulk_update_deletes_the_replaced_file(self, invoice):
        old = invoice.data.name
        invoice.data = invoice.data.storage.save("new.pdf", new_file())
        Invoice.objects.bulk_update([invoice], ["data"])
        assert not exists(old)
        assert content_of(Invoice.objects.get()) == b"new"

    def test_bulk_update_does_not_save_files_and_is_refused(self, invoice):
        invoice.data = new_file()
        with pytest.raises(IntegrityError):
            Invoice.objects.bulk_update([invoice], ["data"])
        assert content_of(Invoice.objects.get()) == b"old"

    def test_raw_sql_deletes_the_file(self, invoice):
        with connection.cursor() as cursor:
            cursor.execute("delete from invoices_invoice")
        assert not exists(invoice.data.name)

    def test_a_row_that_names_no_file_is_refused_at_commit(self, invoice):
        with pytest.raises(IntegrityError), transaction.atomic():
            assert Invoice.objects.update(data="1.missing") == 1
        assert content_of(Invoice.objects.get()) == b"old"

    def test_a_file_that_a_row_names_cannot_be_deleted(self, invoice):
        with pytest.raises(IntegrityError), transaction.atomic():
            invoice.data.storage.delete(invoice.data.name)
        assert content_of(invoice) == b"old"

    def test_a_file_that_another_row_still_names_is_kept(self, invoice):
        Invoice.objects.bulk_create(
            [Invoice(owner=invoice.owner, number="copy", data=invoice.data.name)]
        )
        Invoice.objects.filter(number="copy").update(data=None)
        assert content_of(invoice) == b"old"
