from django.db import migrations, models

# In one transaction: of 1,000,000 invoices it takes three minutes, in which nobody sees the table.
# This SQL has run somewhere, so it is never edited: what changes gets a new name.
# The search path is fixed, because pg_restore loads rows with an empty one.
SEARCH_TEXT = """
create function invoices_search_text_v1() returns trigger language plpgsql
    set search_path from current as $$
begin
    new.search_text := lower(normalize(concat_ws(' ', new.number, new.title, (
        select original_name from lo_storage_largeobject where name = new.data
    )), nfkc));
    return new;
end
$$;

create trigger invoices_search_text before insert or update on invoices_invoice
    for each row execute function invoices_search_text_v1();

update invoices_invoice set search_text = '';
"""

DROP_SEARCH_TEXT = """
drop trigger invoices_search_text on invoices_invoice;
drop function invoices_search_text_v1();
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0002_invoice_data_reference")]

    operations = [
        migrations.AddField("invoice", "search_text", models.TextField(default="", editable=False)),
        migrations.RunSQL(SEARCH_TEXT, DROP_SEARCH_TEXT),
    ]
