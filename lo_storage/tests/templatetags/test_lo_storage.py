import pytest
from django.template import Context, Template

from lo_storage.templatetags.lo_storage import visible


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("invoice\u202efdp.exe", "invoice[U+202E]fdp.exe"),
        ("invoice\u2067fdp.exe\u2069", "invoice[U+2067]fdp.exe[U+2069]"),
        ("invoice.pdf\u200b.exe", "invoice.pdf[U+200B].exe"),
        ("two\nlines\0.txt", "two[U+000A]lines[U+0000].txt"),
        ("\ufeffscan.pdf", "[U+FEFF]scan.pdf"),
    ],
)
def test_what_would_hide_the_end_of_a_name_is_seen(name, shown):
    assert visible(name) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Rechnung März.pdf",
        "Screenshot at 9.41\u202fAM.png",
        "👩\u200d👧.png",
        "می\u200cخواهم.pdf",
        "\u200fחשבונית.pdf",
        "",
    ],
)
def test_a_name_is_as_it_is(name):
    assert visible(name) == name


def test_a_template_escapes_it():
    template = Template("{% load lo_storage %}{{ name|visible }}")
    assert template.render(Context({"name": "<b>\u202e"})) == "&lt;b&gt;[U+202E]"
