from django.apps import apps
from django.core.management import call_command
from django.db import connection

TRIGGERS = (
    "select tgname from pg_trigger"
    " where tgrelid = 'lo_storage_uploads_upload'::regclass and not tgisinternal order by tgname"
)


def triggers():
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS)
        return [name for (name,) in cursor.fetchall()]


def test_the_triggers_are_made_where_migrations_are_off(transactional_db, settings):
    there = triggers()
    assert there == ["lo_storage_unstage", "lo_storage_unstage_all"]
    with connection.cursor() as cursor:
        cursor.execute("drop function lo_storage_unstage_v1 cascade")
        cursor.execute("drop function lo_storage_unstage_all_v1 cascade")
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)
    assert triggers() == there
    call_command("migrate", run_syncdb=True, verbosity=0)
    assert triggers() == there


def test_migrating_to_zero_and_back_leaves_no_object(staged, large_objects):
    before = large_objects()
    upload = staged()
    try:
        call_command("migrate", "lo_storage_uploads", "zero", verbosity=0)
        assert large_objects() == before - {upload.loid}
    finally:
        call_command("migrate", "lo_storage_uploads", verbosity=0)
    assert triggers() == ["lo_storage_unstage", "lo_storage_unstage_all"]
