"""Files are chosen, dropped and pasted, and sent while the form is filled in."""

from playwright.sync_api import expect

from lo_storage.uploads.models import Upload

from .conftest import digests, saved


def rows(page):
    return page.get_by_role("list", name="Files to save").get_by_role("listitem")


def save(page, title="March"):
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Save").click()


def test_a_file_is_sent_before_the_form_and_once(many, file, requests):
    scan = file()
    many.get_by_label("Files", exact=True).set_input_files(scan)
    expect(rows(many)).to_contain_text("Has come")
    assert Upload.objects.get().is_complete
    with many.expect_request("**/many/") as sent:
        save(many)
    assert b"content" not in sent.value.post_data_buffer
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(scan)
