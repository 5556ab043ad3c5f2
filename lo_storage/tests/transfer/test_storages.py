"""Which storage is meant."""

import pytest

from lo_storage.storage import DbFileStorage
from lo_storage.transfer.sources import CannotBegin
from lo_storage.transfer.storages import storage_of


def test_an_alias_goes_before_a_folder(tmp_path, monkeypatch, settings):
    settings.STORAGES = settings.STORAGES | {
        "ours": {"BACKEND": "lo_storage.storage.DbFileStorage"}
    }
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours").mkdir()
    assert isinstance(storage_of("ours", writing=False), DbFileStorage)
    assert storage_of(str(tmp_path), writing=False).path("") == str(tmp_path)


def test_a_folder_that_is_not_there_is_only_written_to(tmp_path):
    folder = str(tmp_path / "new")
    assert storage_of(folder, writing=True).path("") == folder
    with pytest.raises(CannotBegin, match="is no alias of STORAGES, and no folder that is there"):
        storage_of(folder, writing=False)
