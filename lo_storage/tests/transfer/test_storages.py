"""Which storage is meant, and whether two are one."""

import pytest
from django.core.files.storage import FileSystemStorage, default_storage, storages

from lo_storage.storage import DbFileStorage
from lo_storage.transfer.sources import CannotBegin
from lo_storage.transfer.storages import is_same, storage_of


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


@pytest.mark.parametrize(
    ("other", "same"), [("a/../media", True), ("link", True), ("media/b", False)]
)
def test_two_folders_are_one_that_lead_to_the_same_place(tmp_path, other, same):
    (tmp_path / "media").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "media")
    first, second = FileSystemStorage(tmp_path / "media"), FileSystemStorage(tmp_path / other)
    assert is_same(first, second) is same


def test_two_storages_without_a_folder_are_one_by_their_options():
    assert is_same(DbFileStorage("/a"), DbFileStorage("/a"))
    assert not is_same(DbFileStorage("/a"), DbFileStorage("/b"))
    assert is_same(default_storage, storages["default"])
