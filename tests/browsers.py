"""Firefox and WebKit, driven by what their makers drive them with: one interface for both."""

import json
import os
import shutil
import socket
import subprocess
from base64 import b64decode
from contextlib import closing, contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.webkitgtk.service import Service
from urllib3.exceptions import ReadTimeoutError

from e2e.invoices.steps import eventually

# WebKit's page around a PDF is never complete, and so is no page with a PDF in a frame.
LOADED = """
    const whole = document.contentType === "application/pdf"
        || document.readyState === "complete"
        || document.readyState === "interactive" && document.querySelector("iframe");
    return whole ? location.href : null;
"""


class Marionette:
    """Firefox's own protocol, in which geckodriver speaks to it: WebDriver's commands, in JSON.

    https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
    """

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.replies = self.socket.makefile("rb")
        self.read()  # a greeting

    def close(self):
        self.replies.close()
        self.socket.close()

    def read(self):
        length = b""
        while (digit := self.replies.read(1)) != b":":
            length += digit
        return json.loads(self.replies.read(int(length)))

    def __call__(self, command, **parameters):
        message = json.dumps([0, 0, f"WebDriver:{command}", parameters]).encode()
        self.socket.sendall(b"%d:%b" % (len(message), message))
        _, _, error, result = self.read()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return result["value"] if set(result) == {"value"} else result


class Firefox:
    """A Firefox, in which `ask` is Marionette."""

    def __init__(self, ask, downloads):
        self.ask, self.downloads = ask, downloads

    def open(self, address):
        """Go there, and wait for nothing: what is saved to disk is never loaded."""
        self.ask("Navigate", url=address)

    def loaded(self):
        """Return the address of the page, once all of it is there."""
        return self.run(LOADED)

    def run(self, script):
        return self.ask("ExecuteScript", script=script, args=[], sandbox=None)

    def screenshot(self):
        return b64decode(self.ask("TakeScreenshot", full=False))

    def type(self, css, text):
        self.ask("ElementSendKeys", id=self._find(css), text=text)

    def click(self, css):
        self.ask("ElementClick", id=self._find(css))

    def press(self, x, y):
        """Click at a point of the page, where no element can be found."""
        steps = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self.ask("PerformActions", actions=[{"type": "pointer", "id": "mouse", "actions": steps}])

    def remember(self, name, value):
        """Set a cookie of the site that is open."""
        self.ask("AddCookie", cookie={"name": name, "value": value})

    def forget(self):
        self.ask("DeleteAllCookies")

    def _find(self, css):
        (element,) = self.ask("FindElement", using="css selector", value=css).values()
        return element


class WebKit:
    """WebKitGTK's MiniBrowser, by WebDriver."""

    def __init__(self, driver, downloads):
        self.driver, self.downloads = driver, downloads
        self.open = driver.get
        self.screenshot = driver.get_screenshot_as_png
        self.forget = driver.delete_all_cookies

    def loaded(self):
        try:
            return self.run(LOADED)
        except WebDriverException:  # It goes to another page at this moment.
            return None

    def run(self, script):
        try:
            return self.driver.execute_script(script)
        except ReadTimeoutError:  # It went to another page then, and forgot to answer.
            return self.driver.execute_script(script)

    def press(self, x, y):
        actions = ActionBuilder(self.driver)
        actions.pointer_action.move_to_location(x, y).click()
        actions.perform()

    def remember(self, name, value):
        self.driver.add_cookie({"name": name, "value": value, "path": "/"})

    def type(self, css, text):
        self.driver.find_element("css selector", css).send_keys(text)

    def click(self, css):
        self.driver.find_element("css selector", css).click()


@contextmanager
def firefox(folder):
    profile, downloads = folder / "profile", folder / "downloads"
    profile.mkdir()
    downloads.mkdir()
    preferences = {
        "browser.download.dir": str(downloads),
        "browser.download.folderList": 2,
        "marionette.port": 0,
        "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
    }
    lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in preferences.items())
    (profile / "user.js").write_text("".join(lines))
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, "--marionette", "--headless", "--no-remote", "--profile", profile],
            stdout=log,
            stderr=log,
        )
    try:
        # Firefox writes the port that it has chosen.
        written = profile / "MarionetteActivePort"
        port = int(eventually(lambda: written.exists() and written.read_text()))
        with closing(Marionette(port)) as ask:
            ask("NewSession", pageLoadStrategy="none")
            yield Firefox(ask, downloads)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def webkit(folder):
    downloads = folder / "downloads"
    downloads.mkdir()
    (folder / "user-dirs.dirs").write_text(f'XDG_DOWNLOAD_DIR="{downloads}"\n')
    options = webdriver.WebKitGTKOptions()
    options.binary_location = str(next(Path("/usr/lib").glob("*/webkit2gtk-4*/MiniBrowser")))
    options.add_argument("--automation")
    options.page_load_strategy = "none"
    with display(folder / "log") as number:
        environment = os.environ | {
            "DISPLAY": number,
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            # Its sandbox needs namespaces, which root in a container has not.
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
        }
        log = str(folder / "driver.log")
        service = Service(shutil.which("WebKitWebDriver"), log_output=log, env=environment)
        service.start()
        try:
            place = ClientConfig(remote_server_addr=service.service_url, timeout=30)
            with webdriver.Remote(
                RemoteConnection(client_config=place),
                options=options,
                file_detector=UselessFileDetector(),  # a file is here, and is not sent to a driver
            ) as driver:
                driver.set_window_size(1024, 1500)  # each download takes a row of it, for good
                yield WebKit(driver, downloads)
        finally:
            service.stop()


@contextmanager
def display(log):
    """A screen in memory, for a browser that has no other mode; yields its number."""
    reading, writing = os.pipe()
    with log.open("w") as errors:
        screen = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1600x24"],
            pass_fds=[writing],
            stderr=errors,
        )
    os.close(writing)
    try:
        with os.fdopen(reading) as number:
            yield f":{int(number.readline())}"
    finally:
        screen.terminate()
        screen.wait()


ENGINES = {"firefox": firefox, "webkit": webkit}
