"""Files are chosen, dropped and pasted, and sent while the form is filled in."""

import os

import pytest
from playwright.sync_api import expect

from e2e.axe import expect_accessible
from lo_storage.uploads.models import Upload

from .conftest import digests, saved
from .steps import Line, button, choose, row, rows, save


def test_a_file_is_sent_before_the_form_and_once(many, file, requests):
    scan = file()
    choose(many, scan)
    expect(rows(many)).to_contain_text("scan.pdf (7 bytes)")
    expect(rows(many)).to_contain_text("Has come")
    assert Upload.objects.get().is_complete
    assert [request[0] for request in requests] == ["OPTIONS", "POST"]
    with many.expect_request("**/many/") as sent:
        save(many)
    assert b"content" not in sent.value.post_data_buffer
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(scan)


@pytest.mark.parametrize("address", ["/one/", "/many/"])
def test_what_is_chosen_before_the_script_has_come_is_sent_as_well(page_of, file, address):
    page = page_of(address)
    held = []
    page.route("**/uploads.js", lambda route: held.append(route))
    with page.expect_request("**/uploads.js"):
        page.goto(address, wait_until="commit")
    scan = file()
    page.locator("input[type=file]").set_input_files(scan)
    expect(rows(page)).to_have_count(0)
    held.pop().continue_()
    expect(row(page, "scan.pdf")).to_contain_text("Has come")
    assert page.locator("input[type=file]").first.evaluate("input => input.files.length") == 0
    save(page)
    expect(page.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(scan)


def test_a_large_one_comes_in_pieces_of_8_mib(page_of, file, requests):
    page = page_of("/one/")
    large = file("large.bin", bytes(10 << 20))
    choose(page, large, label="File")
    expect(rows(page)).to_contain_text("Has come")
    save(page)
    expect(page.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(large)
    pieces = [request for request in requests if request[0] == "PATCH"]
    assert pieces == [("PATCH", 0, 8 << 20), ("PATCH", 8 << 20, 2 << 20)]


def test_a_hundred_files_are_a_batch(many, file):
    files = [file(f"{n:03}.pdf", b"%03d" % n * 3400) for n in range(100)]
    began = many.evaluate("performance.now()")
    choose(many, *files)
    expect(many.get_by_role("status")).to_contain_text("All has come: 100 files", timeout=120_000)
    print(f"a hundred files of 10 KB: {many.evaluate('performance.now()') - began:.0f} ms")
    save(many)
    expect(many.get_by_role("heading", name="Saved 100")).to_be_visible()
    assert saved() == digests(*files)


def test_a_form_is_sent_once_all_has_come(many, large, file):
    line = Line(many)
    small = file()
    line.choose(large, small)
    save(many)
    expect(many.get_by_role("status")).to_contain_text("Saving when all has come.")
    expect(many.get_by_role("heading", name="Documents")).to_be_visible()
    line.open()
    expect(many.get_by_role("heading", name="Saved 2")).to_be_visible()
    assert saved() == digests(large, small)


def test_a_refused_form_keeps_its_rows_and_sends_nothing_again(many, file, requests):
    one, other = file("one.pdf"), file("other.pdf", b"other")
    choose(many, one, other)
    expect(many.get_by_role("status")).to_contain_text("All has come: 2 files")
    save(many, "a title that is much too long")
    expect(many.get_by_text("at most 20 characters")).to_be_visible()
    expect(many.get_by_role("status")).to_have_text("All has come: 2 files, 12 bytes.")
    expect(row(many, "one.pdf")).to_contain_text("one.pdf (7 bytes)")
    with many.expect_response(lambda response: response.request.method == "DELETE"):
        button(many, "Remove", "one.pdf").click()
    expect(button(many, "Remove", "other.pdf")).to_be_focused()
    third = file("third.pdf", b"third")
    choose(many, third)
    expect(row(many, "third.pdf")).to_contain_text("Has come")
    posts = [request for request in requests if request[0] == "POST"]
    save(many)
    expect(many.get_by_role("heading", name="Saved 2")).to_be_visible()
    assert saved() == digests(other, third)
    assert len(posts) == 3


def test_a_removed_file_is_gone(many, file, large):
    line = Line(many)
    line.choose(large, file())
    expect(row(many, "scan.pdf")).to_contain_text("Has come")
    with many.expect_response(lambda response: response.request.method == "DELETE"):
        button(many, "Remove", "large.bin").click()
    expect(button(many, "Remove", "scan.pdf")).to_be_focused()
    with many.expect_response(lambda response: response.request.method == "DELETE"):
        button(many, "Remove", "scan.pdf").click()
    expect(many.get_by_label("Files", exact=True)).to_be_focused()
    assert not Upload.objects.exists()
    save(many)  # The browser asks for a file.
    assert many.get_by_label("Files", exact=True).evaluate("input => input.validity.valueMissing")


def test_a_paused_file_goes_on_when_it_is_told_to(many, large, requests):
    line = Line(many)
    line.choose(large)
    button(many, "Pause", "large.bin").click()
    expect(rows(many)).to_contain_text("Paused")
    save(many)
    expect(many.get_by_role("alert")).to_contain_text("“large.bin” has not come.")
    expect(button(many, "Go on", "large.bin")).to_be_focused()
    line.is_open = True
    many.keyboard.press("Enter")
    expect(rows(many)).to_contain_text("Has come")
    save(many)
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(large)
    assert sum(offset == 0 for method, offset, _ in requests if method == "PATCH") == 1


def test_one_file_takes_the_place_of_another(page_of, file):
    page = page_of("/one/")
    choose(page, file("old.pdf"), label="File")
    expect(rows(page)).to_contain_text("Has come")
    new = file("new.pdf", b"new")
    choose(page, new, label="File")
    expect(row(page, "new.pdf")).to_contain_text("Has come")
    expect(rows(page)).to_have_count(1)
    save(page)
    expect(page.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(new)


def test_one_that_is_in_the_list_is_not_taken_twice(many, file):
    scan = file()
    choose(many, scan)
    expect(rows(many)).to_contain_text("Has come")
    choose(many, scan)
    expect(many.get_by_role("alert")).to_have_text("“scan.pdf” is in the list already.")
    expect(rows(many)).to_have_count(1)


def drop(page, *paths):
    """As the system does it: a page cannot drop a folder upon itself."""
    box = page.locator("input[type=file]:visible").bounding_box()
    at = {"x": box["x"] + 5, "y": box["y"] + 5}
    data = {"items": [], "files": list(map(str, paths)), "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for step in ["dragEnter", "dragOver", "drop"]:
        devtools.send("Input.dispatchDragEvent", {"type": step, **at, "data": data})


def test_files_and_folders_are_dropped(many, file, tmp_path):
    deep, flat, single = file("a/b/deep.pdf"), file("a/flat.pdf", b"flat"), file("x.pdf", b"x")
    file("a/.DS_Store")
    (tmp_path / "empty").mkdir()
    drop(many, tmp_path / "a", single)
    expect(many.get_by_role("status")).to_contain_text("All has come: 3 files")
    drop(many, tmp_path / "empty")
    expect(many.get_by_role("alert")).to_have_text("There is no file in the folder “empty”.")
    save(many)
    expect(many.get_by_role("heading", name="Saved 3")).to_be_visible()
    assert saved() == digests(deep, flat, single)


def test_what_was_not_taken_can_be_read(page_of, file):
    page = page_of("/one/")
    drop(page, file("one.pdf"), file("other.pdf"))
    expect(rows(page)).to_contain_text("Has come")
    expect(page.get_by_role("alert")).to_have_text("Only one file can be taken here: “one.pdf”.")
    drop(page, file("new.pdf"))
    expect(row(page, "new.pdf")).to_contain_text("Has come")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_also_beside_what_is_taken(many, file):
    scan = file()
    choose(many, scan)
    expect(rows(many)).to_contain_text("Has come")
    choose(many, scan, file("other.pdf"))
    expect(many.get_by_role("status")).to_contain_text("All has come: 2 files")
    expect(many.get_by_role("alert")).to_have_text("“scan.pdf” is in the list already.")


@pytest.mark.parametrize("way", ["chosen", "dropped"])
def test_files_of_one_name_in_two_folders_are_two(way, many, file, tmp_path):
    files = [file(f"a/{year}/scan.pdf", year.encode()) for year in ["2025", "2026"]]
    for path in files:
        os.utime(path, (0, 0))
    if way == "dropped":
        drop(many, tmp_path / "a")
    else:
        with many.expect_file_chooser() as chooser:
            many.get_by_role("button", name="Choose a folder").click()
        chooser.value.set_files(tmp_path / "a")
    expect(many.get_by_role("status")).to_contain_text("All has come: 2 files")
    save(many)
    expect(many.get_by_role("heading", name="Saved 2")).to_be_visible()
    assert saved() == digests(*files)


def test_nothing_hides_in_a_name(many, file):
    choose(many, file("letter\u202efdp.exe"))
    shown = "letter[U+202E]fdp.exe"
    expect(rows(many)).to_contain_text("Has come")
    expect(row(many, shown)).to_have_count(1)
    expect(button(many, "Remove", shown)).to_be_visible()
    many.reload()
    before = many.get_by_role("list", name="Interrupted before")
    expect(before).to_contain_text(shown)
    before.get_by_role("button", name=f"Take it: {shown}").click()
    expect(row(many, shown)).to_contain_text("Has come")
    assert "\u202e" not in many.content()


def test_a_folder_is_chosen_without_dragging(many, file, tmp_path):
    deep = file("a/b/deep.pdf")
    file("a/.hidden")
    with many.expect_file_chooser() as chooser:
        many.get_by_role("button", name="Choose a folder").press("Enter")
    chooser.value.set_files(tmp_path / "a")
    expect(rows(many)).to_have_count(1)
    expect(rows(many)).to_contain_text("Has come")
    save(many)
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(deep)


PASTE = """() => {
  const data = new DataTransfer();
  data.items.add(new File(["picture"], "image.png", { type: "image/png" }));
  document.activeElement.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }),
  );
}"""


def test_a_screenshot_is_pasted(many):
    many.get_by_label("Title").focus()
    many.evaluate(PASTE)
    expect(rows(many)).to_contain_text("Has come")
    name = rows(many).locator("bdi").text_content()
    assert name.startswith("Screenshot 20")
    assert name.endswith(".png")
    save(many)
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()


def test_a_phone_offers_its_camera(page_of):
    page = page_of("/picture/")
    camera = page.get_by_label("File", exact=True)
    expect(camera).to_have_attribute("capture", "environment")
    expect(camera).to_have_attribute("accept", "image/*")


def test_by_keyboard_alone(many, file):
    scan = file()
    many.get_by_label("Title").focus()
    many.keyboard.type("March")
    with many.expect_file_chooser() as chooser:
        many.keyboard.press("Tab")
        many.keyboard.press("Enter")
    chooser.value.set_files(scan)
    expect(rows(many)).to_contain_text("Has come")
    many.keyboard.press("Shift+Tab")
    expect(button(many, "Remove", "scan.pdf")).to_be_focused()
    many.keyboard.press("Tab")
    many.keyboard.press("Tab")
    expect(many.get_by_role("button", name="Choose a folder")).to_be_focused()
    many.keyboard.press("Tab")
    many.keyboard.press("Enter")
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(scan)


def test_a_screen_reader_is_told_each_tenth(many, large):
    many.evaluate("""() => {
      window.told = [];
      const status = document.querySelector("[role=status]");
      const tell = () => told.push(status.textContent);
      new MutationObserver(tell).observe(status, { childList: true });
    }""")
    choose(many, large)
    expect(many.get_by_role("status")).to_contain_text("All has come")
    told = many.evaluate("told")
    assert 4 <= len(told) <= 12
    assert told[-1] == "All has come: 1 file, 640.0 KB."


def test_who_leaves_while_something_runs_is_asked(many, large):
    line = Line(many)
    line.choose(large)
    many.get_by_label("Title").click()  # Only who has touched a page is asked.
    asked = []
    many.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    many.close(run_before_unload=True)
    many.wait_for_timeout(0)
    expect(rows(many)).to_be_visible()
    assert asked == ["beforeunload"]
    line.open()
    expect(rows(many)).to_contain_text("Has come")


def test_the_page_is_accessible(many, file, large):
    expect_accessible(many)
    line = Line(many)
    line.choose(large, file(), file("a " + "very " * 40 + "long name.pdf"))
    expect(row(many, "scan.pdf")).to_contain_text("Has come")
    button(many, "Pause", "large.bin").click()
    save(many)
    expect_accessible(many)
    for each in many.locator(".uploads button:visible").all():
        box = each.bounding_box()
        assert min(box["width"], box["height"]) >= 24


@pytest.mark.parametrize("address", ["/many/", "/one/"])
def test_without_script_all_is_as_before(address, browser, base_url, alice, sign_in, file):
    context = browser.new_context(base_url=base_url, java_script_enabled=False)
    sign_in(context, alice)
    page = context.new_page()
    page.goto(address)
    scan = file()
    page.locator("input[type=file]").set_input_files(scan)
    save(page)
    expect(page.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(scan)
    context.close()
