from lo_storage.uploads.conf import DEFAULTS, setting


def test_a_project_names_what_differs(settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_NUMBER": 5}
    assert setting("QUOTA_NUMBER") == 5
    assert setting("MAX_SIZE") == DEFAULTS["MAX_SIZE"] == 1024**3
