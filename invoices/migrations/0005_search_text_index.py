from django.db import NotSupportedError, OperationalError, ProgrammingError, migrations, transaction

WITHOUT = """
The search of invoices has no index, and reads each invoice of its owner: {}
It finds the same. To have the index, let an administrator run CREATE EXTENSION pg_trgm; and then
run: manage.py migrate invoices 0004 && manage.py migrate invoices"""


def add_index(apps, schema_editor):
    connection = schema_editor.connection
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("create extension if not exists pg_trgm")
            # Not in `Invoice.Meta`: where it could not be made, no later migration may miss it.
            cursor.execute(
                "create index invoices_invoice_search on invoices_invoice"
                " using gin (search_text gin_trgm_ops)"
            )
    # Not installed (and in older servers' words), not allowed, or in a schema that is not searched.
    except (NotSupportedError, OperationalError, ProgrammingError) as error:
        print(WITHOUT.format(str(error).splitlines()[0]))


def drop_index(apps, schema_editor):
    schema_editor.execute("drop index if exists invoices_invoice_search")


class Migration(migrations.Migration):
    dependencies = [("invoices", "0004_invoice_sent")]

    operations = [migrations.RunPython(add_index, drop_index)]
