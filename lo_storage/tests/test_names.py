import pytest

from lo_storage.names import MAX_LENGTH, loid_of, suffix_of


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
        ("MARCH.PDF", ".PDF"),
        ("notes.tar.gz", ".tar.gz"),
        ("notes.TAR.bz2", ".TAR.bz2"),
        ("invoice.xml.p7m", ".xml.p7m"),
        ("march.csv.gz.asc", ".asc"),
        ("march.docx.p7m", ".docx.p7m"),
        ("a.tar.gz/march.pdf", ".pdf"),
        ("0123456789.0123456789", ".0123456789"),
        # Of the user's words nothing else.
        ("Dr. Ferreira - HIV test of Alice.pdf", ".pdf"),
        ("Alice.Smith.pdf", ".pdf"),
        ("Alice.Smith.gz", ".gz"),
        ("supplemental Letter (H.K.) Limited", ""),
        ("scan.2026-11-28", ""),
        ("v1.2 final.pdf", ".pdf"),
        ("v1.2 final", ""),
        ("a." + "x" * 10, "." + "x" * 10),
        ("a." + "x" * 11, ""),
        ("a." + "x" * 11 + ".pdf", ".pdf"),
        ("a.ÄÖ", ""),
        ("a.p\0df", ""),
        ("a.p\ud800df", ""),
        ("a.b\\c", ""),
        ("README", ""),
        (".bashrc", ""),
        ("a.", ""),
        ("..", ""),
        ("", ""),
    ],
)
def test_suffixes(original_name, suffix):
    assert suffix_of(original_name) == suffix
    assert loid_of("12" + suffix) == 12
    assert len(f"4294967295{suffix}") <= MAX_LENGTH
