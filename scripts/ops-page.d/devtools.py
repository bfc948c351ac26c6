"""Drives a headless Chromium by the DevTools protocol over a pair of pipes: no port, no library.

One browser, one page. All calls are of one thread; a reader thread sorts what arrives. Every wait has a deadline.
"""

import base64
import collections
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

DEADLINE_SECONDS = 60.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the gateway may be reached, whatever the browser would like to fetch for itself.
FLAGS = ("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run", "--no-default-browser-check",
         "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb",
         "--password-store=basic", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")


class Failure(Exception):
    """A check that did not hold, or a browser that does not do what it is told."""


def find_browser():
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def wait_for(what, condition, seconds=DEADLINE_SECONDS):
    """The first true value of `condition`; asked often, until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


class Browser:
    def __init__(self):
        program = find_browser()
        if program is None:
            raise Failure(f"none of {', '.join(PROGRAMS)} is installed; scripts/install --tests does that")
        # The browser reads at descriptor 3 and writes at 4: both are taken here, so that no pipe of ours has them.
        while (spare := os.open(os.devnull, os.O_RDONLY)) <= 4:
            pass
        os.close(spare)
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()

        def place():
            os.dup2(to_browser, 3)
            os.dup2(from_browser, 4)

        self.folder = tempfile.mkdtemp(prefix="ops-page-browser-")
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.folder}", "about:blank"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=place, pass_fds=(3, 4),
            start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        self.answers = {}
        self.events = collections.deque(maxlen=20000)
        self.changed = threading.Condition()
        self.last_id = 0
        self.is_over = False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        rest = b""
        while chunk := os.read(self.read_end, 1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            with self.changed:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self.answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self.changed.notify_all()
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def call(self, method, session=None, **parameters):
        self.last_id += 1
        mine = self.last_id
        message = {"id": mine, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write_end, data):]
        with self.changed:
            self.changed.wait_for(lambda: mine in self.answers or self.is_over, DEADLINE_SECONDS)
            answer = self.answers.pop(mine, None)
        if answer is None:
            raise Failure(f"the browser {'ended' if self.is_over else 'does not answer'}: {method}")
        if "error" in answer:
            raise Failure(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def close(self):
        try:
            self.call("Browser.close")
        except (Failure, OSError):
            pass  # It is gone already, or is made to go.
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Page:
    """The one page. Notes every request, exception and complaint on the console."""

    def __init__(self, browser):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def events(self, method):
        with self.browser.changed:
            return [event["params"] for event in self.browser.events if event["method"] == method]

    def run(self, expression):
        """The value of an expression of JavaScript; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
                           userGesture=True)
        if "exceptionDetails" in answer:
            raise Failure(f"{expression}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait(f"{url} is loaded", "document.readyState === 'complete' && location.href !== 'about:blank'")

    def wait(self, what, expression):
        return wait_for(what, lambda: self.run(expression))

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")

    # --- as a person ---

    def click(self, selector):
        """A real click, at the middle of the element: one that is covered or off the page is not hit. A row that moved while
        the mouse was on its way is clicked again."""
        wait_for(f"{selector} is hit", lambda: self.hits(selector))

    def hits(self, selector):
        quoted = json.dumps(selector)
        spot = wait_for(f"{selector} can be clicked", lambda: self.run(f"""(() => {{
            const node = document.querySelector({quoted});
            if (!node || node.disabled) return null;
            node.scrollIntoView({{ block: "center", behavior: "instant" }});
            const box = node.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            if (!node.contains(document.elementFromPoint(x, y))) return null;
            window.clickHit = false;
            addEventListener("click", (event) => {{ window.clickHit = node.contains(event.target); }},
                {{ once: true, capture: true }});
            return [x, y]; }})()"""))
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=spot[0], y=spot[1], button="left", clickCount=1)
        # A click that changed the page took the note with it.
        return self.run("window.clickHit") is not False

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key):
        codes = {"Enter": 13, "Tab": 9, "Escape": 27}
        more = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key],
                      **(more if kind == "keyDown" else {}))

    # --- as a device ---

    def resize(self, width, height, scale=1, is_phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=is_phone)

    def prefer(self, **features):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def screenshot(self, path):
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"])
        with open(path, "wb") as file:
            file.write(data)

    def controls(self):
        """Role and name of everything that can be used or is announced, as assistive software sees it."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(node["role"]["value"], (node.get("name") or {}).get("value", "").strip())
                for node in nodes if not node.get("ignored") and "role" in node]
