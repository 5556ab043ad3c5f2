import pytest

from lo_storage.names import loid_of, suffix_of


@pytest.mark.parametrize(
    ("name", "loid"),
    [
        ("16418.pdf", 16418),
        ("16418", 16418),
        ("16418.tar.gz", 16418),
        ("16419.2 final.pdf", 16419),
        ("1.Ü", 1),
        ("4294967295.pdf", 4294967295),
    ],
)
def test_stored_names(name, loid):
    assert loid_of(name) == loid


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0",
        "0.pdf",
        "+12.pdf",
        "-12.pdf",
        " 12.pdf",
        "12 .pdf",
        "012.pdf",
        "1_2.pdf",
        "١٢.pdf",
        "12٣.pdf",
        "4294967296.pdf",
        "99999999999.pdf",
        "12.a/b",
        "12.a\\b",
        "../12.pdf",
        "a/12.pdf",
        "/12.pdf",
        "12.pdf\0",
        "12.\ud800",
        "12.pdf\n/",
        "pdf",
        "invoice.pdf",
    ],
)
def test_what_can_be_no_stored_name(name):
    assert loid_of(name) is None


@pytest.mark.parametrize(
    ("original_name", "suffix"),
    [
        ("march.pdf", ".pdf"),
        ("notes.tar.gz", ".tar.gz"),
        ("v1.2 final.pdf", ".2 final.pdf"),
        ("README", ""),
        (".bashrc", ""),
        ("a.", ""),
        ("a.p\0d\nf", ".pdf"),
        ("a.p\ud800df", ".pdf"),
        ("a.b\\c", ".bc"),
        ("a.ÄÖ", ".ÄÖ"),
        ("a." + "x" * 89, "." + "x" * 89),
        ("a." + "x" * 90, ""),
        ("a." + "x" * 90 + ".pdf", ".pdf"),
        ("a" + ".b" * 200 + ".pdf", ".b" * 43 + ".pdf"),
    ],
)
def test_suffixes(original_name, suffix):
    assert suffix_of(original_name) == suffix
    assert loid_of("12" + suffix) == 12
