"""BagIt's form, as RFC 8493 has it."""

import hashlib
import os
import re

import pytest

from lo_storage.transfer import bags
from lo_storage.transfer.bags import NotABag, safe_name


@pytest.fixture
def bag(tmp_path):
    """A bag of two files."""
    (tmp_path / "data" / "a").mkdir(parents=True)
    files = {"data/a/march.pdf": b"march", "data/100%.txt": b"april"}
    lines = []
    for path, content in files.items():
        (tmp_path / path).write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {bags.encoded(path)}\n")
    (tmp_path / bags.MANIFEST).write_text("".join(lines))
    bags.close(tmp_path, 10, 2, {"Bag-Software-Agent": "a test"})
    return tmp_path


def validate(folder):
    read = []
    bags.validate(folder, read.append)
    return sum(read)


def rewrite(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_bag_is_valid(bag):
    assert (bag / "bagit.txt").read_bytes() == (
        b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    )
    assert (bag / "bag-info.txt").read_text() == "Bag-Software-Agent: a test\nPayload-Oxum: 10.2\n"
    assert validate(bag) > 10
    assert [line.path for line in bags.manifest(bag, bags.MANIFEST)] == [
        "data/a/march.pdf",
        "data/100%.txt",
    ]


def same_size(bag):
    (bag / "data/a/march.pdf").write_bytes(b"MARCH")


def longer(bag):
    (bag / "data/a/march.pdf").write_bytes(b"march 2")


def missing(bag):
    (bag / "data/a/march.pdf").unlink()


def added(bag):
    (bag / "data/more.txt").write_bytes(b"")


def a_link(bag):
    (bag / "data/a/march.pdf").unlink()
    os.symlink("/etc/passwd", bag / "data/a/march.pdf")


def a_linked_folder(bag):
    (bag / "data/a").rename(bag.parent / "elsewhere")
    os.symlink(bag.parent / "elsewhere", bag / "data/a")


def out_of_it(path):
    def tamper(bag):
        rewrite(bag / bags.MANIFEST, "data/a/march.pdf", path)
        (bag / bags.TAG_MANIFEST).write_text("")

    return tamper


def info(bag):
    rewrite(bag / "bag-info.txt", "a test", "no test")


def no_declaration(bag):
    (bag / "bagit.txt").unlink()


def other_version(bag):
    rewrite(bag / "bagit.txt", "1.0", "2.0")


def a_line_that_is_none(bag):
    with open(bag / bags.MANIFEST, "a") as file:
        file.write("nonsense\n")
    (bag / bags.TAG_MANIFEST).write_text("")


def listed_twice(bag):
    first, _ = (bag / bags.MANIFEST).read_text().splitlines()
    (bag / bags.MANIFEST).write_text(f"{first}\n{first}\n")
    (bag / "data/100%.txt").write_bytes(b"APRIL")
    bags.close(bag, 10, 2, {})


def a_folder(bag):
    (bag / "bagit.txt").unlink()
    (bag / "bagit.txt").mkdir()


def other_bytes(name):
    def tamper(bag):
        (bag / name).write_bytes(b"\xff\xfe\n" + (bag / name).read_bytes())
        (bag / bags.TAG_MANIFEST).write_text("")

    return tamper


def endless(bag):
    rewrite(bag / "bag-info.txt", "10.2", f"{'9' * 5000}.2")


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (listed_twice, "lists 'data/a/march.pdf' twice"),
        (a_folder, "bagit.txt cannot be read as UTF-8"),
        (other_bytes("bagit.txt"), "bagit.txt cannot be read as UTF-8"),
        (other_bytes("bag-info.txt"), "no bag-info.txt that can be read"),
        (other_bytes(bags.MANIFEST), "a line that is none: '\ufffd\ufffd"),
        (endless, "has no Payload-Oxum"),
        (same_size, "march.pdf is not what it was"),
        (longer, "2 files of 12 bytes, and by its Payload-Oxum 2 of 10"),
        (missing, "1 files of 5 bytes"),
        (added, "3 files of 10 bytes"),
        (a_link, "march.pdf is a link"),
        (a_linked_folder, "data/a is a link"),
        (info, "bag-info.txt is not what it was"),
        (no_declaration, "has no bagit.txt"),
        (other_version, "not of BagIt"),
        (a_line_that_is_none, "'nonsense'"),
        (out_of_it("data/../../a/march.pdf"), "leads out of it"),
        (out_of_it("/etc/passwd"), "not in data/"),
        (out_of_it("bagit.txt"), "not in data/"),
        (out_of_it("data/~/a"), "is not there"),
        (out_of_it("data\\..\\a"), "not in data/"),
        (out_of_it("data/..\\a"), "leads out of it"),
        (out_of_it("data//a"), "leads out of it"),
        (out_of_it("data/a"), "is no file"),
    ],
)
def test_what_is_not_whole_is_refused(bag, tamper, words):
    tamper(bag)
    with pytest.raises(NotABag, match=re.escape(words)):
        validate(bag)


def test_a_path_is_encoded_where_the_rfc_says_so():
    path = "data/100 %0A\n\r é.txt"
    assert bags.encoded(path) == "data/100 %250A%0A%0D é.txt"
    assert bags.decoded(bags.encoded(path)) == path
    assert bags.decoded("a%0d%0a%20") == "a\r\n%20"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("March – 2026.pdf", "March – 2026.pdf"),
        ('a/b\\c:d*e?f"g<h>i|j%k\nl\r\0m\x85n', "a_b_c_d_e_f_g_h_i_j_k_l__m_n"),
        ("\u202egpj.exe", "_gpj.exe"),
        ("..", "otherwise"),
        ("", "otherwise"),
        (" . ", "otherwise"),
        ("end. ", "end"),
        ("con.txt", "_con.txt"),
        ("LPT1", "_LPT1"),
        ("console.txt", "console.txt"),
        (".htaccess", ".htaccess"),
        ("x" * 300 + ".tar.gz", "x" * 197 + ".gz"),
        ("é" * 200 + ".pdf", "é" * 98 + ".pdf"),
        ("x." + "y" * 300, ("x." + "y" * 300)[:200]),
    ],
)
def test_names_that_any_file_system_takes(name, safe):
    assert safe_name(name, "otherwise") == safe
