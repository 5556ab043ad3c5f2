import pytest
from django.db import connection, transaction

from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage
from lo_storage.upkeep import verifying
from lo_storage.upkeep.verifying import Selection, batches, size_of, verify


def found(**selection):
    told = []
    findings = list(verify("default", Selection(**selection), 1, told.append))
    assert sum(told) == size_of("default", Selection(**selection))
    return [finding.name for finding in findings]


def damage(name):
    with connection.cursor() as cursor:
        cursor.execute("select lo_put(%s::oid, 0, 'x')", [name.partition(".")[0]])


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(verifying, "BYTES", 1000)
    monkeypatch.setattr(verifying, "FILES", 3)
    monkeypatch.setattr(verifying, "PAGE", 2)


def test_a_batch_has_few_files_and_few_bytes(transactional_db, save, small_batches):
    for size in [0, 1, 2, 3, 600, 600, 5000, 10]:
        save(b"a" * size)
    sizes = [[file.size for file in batch] for batch in batches("default", Selection())]
    assert sizes == [[0, 1, 2], [3, 600], [600], [5000], [10]]


def test_each_is_read(transactional_db, save, small_batches):
    names = [save(b"a" * size) for size in [0, 1, 600, 1000, 1001, 1200, 5000]]
    assert found() == []
    for name in names[1:]:
        damage(name)
    assert found() == names[1:]


def test_a_page_that_is_lost_in_the_middle(transactional_db, save, small_batches):
    """An ordinary role cannot delete a page, and a hole reads as zeros all the same."""
    name = save(b"a" * 10_000)
    with connection.cursor() as cursor:
        cursor.execute("select lo_put(%s::oid, 4096, %s)", [name.partition(".")[0], bytes(2048)])
    assert found() == [name]


@pytest.mark.parametrize("size", [10, 5000])
def test_what_is_written_or_deleted_meanwhile_is_left_out(
    transactional_db, save, small_batches, monkeypatch, size
):
    written, deleted = save(b"a" * size), save(b"b" * size)
    selected = verifying.batches

    def meanwhile(alias, selection):
        all_of_them = list(selected(alias, selection))
        with transaction.atomic(), db_file_storage.open(written, "r+b") as file:
            file.write(b"c")
        db_file_storage.delete(deleted)
        return iter(all_of_them)

    monkeypatch.setattr(verifying, "batches", meanwhile)
    assert list(verify("default", Selection(), 1, lambda size: None)) == []


def test_what_is_written_meanwhile_is_not_recorded(transactional_db, save, monkeypatch):
    name = save(b"march")
    LargeObject.objects.update(sha256=None)
    record = verifying._record

    def meanwhile(alias, hashes):
        with transaction.atomic(), db_file_storage.open(name, "r+b") as file:
            file.write(b"M")
        record(alias, hashes)

    monkeypatch.setattr(verifying, "_record", meanwhile)
    assert list(verify("default", Selection(unknown=True), 1, lambda size: None)) == []
    assert LargeObject.objects.get().sha256 is None


def test_another_sample_has_other_files(transactional_db, save):
    for number in range(100):
        save(b"%d" % number)

    def sample(seed):
        selection = Selection(share=0.5, seed=seed)
        return [file.name for batch in batches("default", selection) for file in batch]

    assert sample(1) == sample(1) != sample(2)
    assert 25 < len(sample(1)) < 75
