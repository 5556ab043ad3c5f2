from django.db import migrations

# This SQL has run somewhere, so it is never edited: what changes gets a new migration, and a new name.

# For the lists of the admin. Neither is of the model: Django would make them under the same name, and
# could not leave out one that somebody has made before, by CREATE INDEX CONCURRENTLY.
NEWEST = """
create index if not exists lo_storage_largeobject_newest
    on lo_storage_largeobject (created_at, loid)
"""

# The words of the original name; what is no letter and no digit of ASCII separates them.
WORDS = """
create index if not exists lo_storage_largeobject_words
    on lo_storage_largeobject
 using gin (to_tsvector('simple', translate(left(original_name, 255),
                                            '!"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~',
                                            '                                ')))
"""


class Migration(migrations.Migration):
    dependencies = [("lo_storage", "0003_nothing_of_a_stranger")]

    operations = [
        migrations.RunSQL(NEWEST, "drop index lo_storage_largeobject_newest"),
        # In a list it is run as it is, whatever percent signs it has.
        migrations.RunSQL([WORDS], "drop index lo_storage_largeobject_words"),
    ]
