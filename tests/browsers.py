"""Chromium, Firefox and WebKit without a window, where they are, behind the same few calls.

The latter two speak WebDriver, the standard for driving a browser: WebKit over HTTP, through a
program of Debian's package webkit2gtk-driver; Firefox over Marionette, a socket of its own with the
same commands, since Debian has no geckodriver.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64decode, b64encode
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

import chromium as playwright

WAIT = 60  # seconds: machines may be busy

FIREFOX = os.environ.get("FASTGD_FIREFOX") or next(
    filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None
)
WEBKIT = os.environ.get("FASTGD_WEBKIT") or next(
    map(str, Path("/usr").glob("lib*/**/webkit2gtk-4.*/MiniBrowser")), None
)
DRIVER = shutil.which("WebKitWebDriver")
SCREEN = shutil.which("Xvfb")

needs_firefox = pytest.mark.skipif(
    FIREFOX is None, reason="no Firefox: set FASTGD_FIREFOX, or have firefox-esr on the PATH"
)
needs_webkit = pytest.mark.skipif(
    None in (WEBKIT, DRIVER, SCREEN),
    reason="no WebKit: set FASTGD_WEBKIT to a MiniBrowser, or have Debian's webkit2gtk-driver; "
    "WebKitWebDriver and Xvfb must be on the PATH",
)

ASYNC = """
const given = [...arguments], done = given.pop();
(async (...given) => { %s })(...given).then(
  (value) => done({ value }), (error) => done({ error: `${error} ${error?.stack}` }));
"""
"""What runs a script that may wait, and tells its error."""


class Driven:
    """A browser that does what it is told: commands of WebDriver, unless a class knows better."""

    def open(self, path, place=""):
        """Go to a page, from an empty one: an address that differs by its place loads anew."""
        self.command("go", {"url": "about:blank"})
        self.command("go", {"url": path.as_uri() + place})

    def run(self, script, *given):
        """What the body of an asynchronous function returns, which has ``given``."""
        found = self.command("run", {"script": ASYNC % script, "args": list(given)})
        assert "error" not in found, found["error"]
        return found.get("value")

    def until(self, condition, *given):
        """Wait until a JavaScript expression of ``given`` holds; gives it back."""
        script = f"""
const until = performance.now() + {WAIT - 10}e3;
for (;;) {{
  const found = {condition};
  if (found) return found;
  if (performance.now() > until) throw new Error("it takes too long");
  await new Promise((resolve) => setTimeout(resolve, 20));
}}"""
        return self.run(script, *given)

    def screenshot(self):
        """What is seen of the page, as a PNG."""
        return b64decode(self.command("look", {"full": False}))

    def resize(self, width, height):
        """Give the page (not the window) this size."""
        raise NotImplementedError

    def messages(self):
        """What the page has said since the last time, with errors that nobody caught."""
        raise NotImplementedError

    def command(self, name, parameters):
        """Do one thing: go to an address, run a script, look at the page."""
        raise NotImplementedError


class Chromium(Driven):
    """Through Playwright, as in most of the tests."""

    def __init__(self, browser):
        self.page = browser.new_page()
        self.page.set_default_timeout(WAIT * 1000)
        self.said = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, path, place=""):
        self.page.goto("about:blank")
        self.page.goto(path.as_uri() + place)

    def run(self, script, *given):
        return self.page.evaluate(f"async (given) => {{ {script} }}", list(given))

    def resize(self, width, height):
        self.page.set_viewport_size({"width": width, "height": height})

    def screenshot(self):
        return self.page.screenshot()

    def messages(self):
        found, self.said = self.said, []
        return found


OVER_MARIONETTE = {
    "go": "WebDriver:Navigate",
    "run": "WebDriver:ExecuteAsyncScript",
    "look": "WebDriver:TakeScreenshot",
}
OVER_HTTP = {"go": "url", "run": "execute/async", "look": "screenshot"}


class Firefox(Driven):
    """Over Marionette: messages are JSON, each after its length and a colon."""

    def __init__(self, port, log):
        self.log = log
        self.printed = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=2 * WAIT)
        self.stream = self.socket.makefile("rb")
        self._receive()  # it tells its version
        self.count = 0
        timeouts = {"script": WAIT * 1000, "pageLoad": WAIT * 1000}
        self.command(
            "WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"timeouts": timeouts}}}
        )

    def _receive(self):
        size = b""
        while (byte := self.stream.read(1)) != b":":
            assert byte, "Firefox has ended"
            size += byte
        return json.loads(self.stream.read(int(size)))

    def command(self, name, parameters):
        self.count += 1
        message = json.dumps([0, self.count, OVER_MARIONETTE.get(name, name), parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._receive()
        assert error is None, f"{error['error']}: {error['message']}"
        return result.get("value") if isinstance(result, dict) else result

    @contextmanager
    def _inside(self):
        """Scripts of the browser itself."""
        self.command("Marionette:SetContext", {"value": "chrome"})
        yield
        self.command("Marionette:SetContext", {"value": "content"})

    def resize(self, width, height):
        script = """
const [width, height] = given, { style } = window.gBrowser.selectedBrowser;
for (const [name, value] of Object.entries({ width, height })) {
  style.setProperty(name, `${value}px`);
  style.setProperty(`min-${name}`, `${value}px`);
  style.setProperty(`max-${name}`, `${value}px`);
}"""  # a window has a least width, the page in it has none
        with self._inside():
            self.run(script, width, height)

    def messages(self):
        script = """
const found = Services.console.getMessageArray().filter((each) => each instanceof Ci.nsIScriptError)
  .filter(({ sourceName }) => /^(file|blob|data):/.test(sourceName))
  .map((each) => `${each.errorMessage} (${each.sourceName}, line ${each.lineNumber})`);
Services.console.reset();
return found;"""
        with self._inside():
            errors = self.run(script)
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line for line in lines if line.startswith("console.") and "RSLoader" not in line]
        new, self.printed = said[self.printed :], len(said)
        return errors + new

    def close(self):
        self.stream.close()
        self.socket.close()


LISTENING = """
globalThis.heard = [];
for (const name of ["error", "warn"]) console[name] = (...said) => heard.push(said.join(" "));
addEventListener("error", ({ message }) => heard.push(message));
addEventListener("unhandledrejection", ({ reason }) => heard.push(String(reason)));
addEventListener("securitypolicyviolation", ({ blockedURI, violatedDirective }) =>
  heard.push(`${violatedDirective} forbids ${blockedURI}`));
"""


class WebKit(Driven):
    """Over HTTP. While it is driven, it tells nobody what a page says: so a copy of it listens."""

    def __init__(self, port, folder):
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}/session"
        options = {"binary": WEBKIT, "args": ["--automation"]}
        timeouts = {"script": WAIT * 1000, "pageLoad": WAIT * 1000}
        wanted = {"webkitgtk:browserOptions": options, "timeouts": timeouts}
        made = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self.address += f"/{made['sessionId']}"

    def open(self, path, place=""):
        copy = self.folder / path.name
        head, body = path.read_text(encoding="utf-8").split("<title>", 1)
        known = b64encode(sha256(LISTENING.encode()).digest()).decode()
        head = head.replace("script-src ", f"script-src 'sha256-{known}' ")
        copy.write_text(f"{head}<script>{LISTENING}</script><title>{body}", encoding="utf-8")
        super().open(copy, place)

    def _ask(self, method, path, parameters=None):
        body = json.dumps(parameters).encode() if method == "POST" else None
        request = urllib.request.Request(
            self.address + path,
            data=body,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=2 * WAIT) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            found = json.load(error)["value"]
            raise AssertionError(f"{found['error']}: {found['message']}") from None

    def command(self, name, parameters):
        method = "GET" if name == "look" else "POST"
        return self._ask(method, f"/{OVER_HTTP[name]}", parameters)

    def resize(self, width, height):
        more = 0, 0  # what the window has around the page
        for _ in range(20):
            size = {"width": width + more[0], "height": height + more[1]}
            window = self._ask("POST", "/window/rect", size)
            inner = self.run("return [innerWidth, innerHeight]")
            if inner == [width, height]:
                return
            more = window["width"] - inner[0], window["height"] - inner[1]
            time.sleep(0.1)
        raise AssertionError(f"the page is {inner} large, not {[width, height]}")

    def messages(self):
        return self.run("return heard.splice(0);")

    def close(self):
        self._ask("DELETE", "")


@contextmanager
def started(command, log, **environment):
    """A program with all that it starts, until the end."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=os.environ | environment,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def awaited(find, process, log):
    """What is found once the program is ready."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until and process.poll() is None:
        if found := find():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it doesn't start: {log.read_text(errors='replace')[-2000:]}")


PREFERENCES = {
    "marionette.port": 0,  # a free one, which it writes into its profile
    "devtools.console.stdout.content": True,
    "browser.startup.page": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "layout.css.prefers-color-scheme.content-override": 1,  # light
    "widget.gtk.overlay-scrollbars.enabled": True,  # as on a phone
}


@contextmanager
def chromium():
    with playwright.chromium() as browser:
        yield Chromium(browser)


@contextmanager
def firefox():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        profile, log = Path(folder), Path(folder) / "log"
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items()]
        (profile / "user.js").write_text("".join(lines))
        command = [FIREFOX, "--headless", "--no-remote", "--profile", folder, "--marionette"]
        command.append("--remote-allow-system-access")
        with started(command, log, MOZ_CRASHREPORTER_DISABLE="1", HOME=folder) as process:
            place = profile / "MarionetteActivePort"
            port = awaited(lambda: place.exists() and place.read_text().strip(), process, log)
            browser = Firefox(int(port), log)
            yield browser
            browser.close()


SMALL = {
    "gtk.css": "headerbar, toolbar, button, entry, box { min-width: 0; padding: 0; margin: 0; }",
    "settings.ini": "[Settings]\ngtk-font-name=Sans 3\n",
}
"""GTK's settings: the buttons of the window leave it as narrow as a phone."""


@contextmanager
def webkit():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, screen() as display:
        folder = Path(name)
        (folder / "gtk-3.0").mkdir()
        for file, text in SMALL.items():
            (folder / "gtk-3.0" / file).write_text(text)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {"DISPLAY": display, "HOME": name, "XDG_CONFIG_HOME": name}
        environment |= {"GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1"}
        log = folder / "log"
        with started([DRIVER, f"--port={port}"], log, **environment) as process:
            awaited(lambda: _answers(port), process, log)
            browser = WebKit(port, folder)
            yield browser
            browser.close()


@contextmanager
def screen():
    """A display that nobody sees; its name."""
    read, write = os.pipe()
    command = [SCREEN, "-displayfd", str(write), "-screen", "0", "1600x1200x24"]
    process = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield f":{told.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


each_browser = pytest.mark.parametrize(
    "driven",
    [
        pytest.param(chromium, marks=playwright.needs_chromium),
        pytest.param(firefox, marks=needs_firefox),
        pytest.param(webkit, marks=needs_webkit),
    ],
    indirect=True,
    ids=lambda each: each.__name__,
)
"""What runs a test in each of them; the others are skipped, with the reason."""
