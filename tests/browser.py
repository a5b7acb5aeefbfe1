"""A headless Chromium, driven by the DevTools protocol through a pipe."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_KEYS = {"Enter": (13, "\r"), "Home": (36, ""), "ArrowRight": (39, ""), "ArrowDown": (40, "")}


class Browser:
    """One page. A context manager.

    Attributes
    ----------
    said : list of str
        What the page wrote to the console, its errors, and what it asked of the network.
    """

    def __init__(self, width=1280, height=900):
        self.said, self._number, self._buffer = [], 0, b""
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read, write = os.pipe(), os.pipe()
        command = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--force-device-scale-factor=1", f"--user-data-dir={self._folder.name}", "about:blank",
        ]  # fmt: skip
        # descriptors 3 and 4, by the protocol
        script = f'exec "$@" 3<&{read[0]} 4>&{write[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(read[0], write[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read[0])
        os.close(write[1])
        self._out, self._in = read[1], write[0]
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._session = None
            self.call("Browser.close")
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._out)
            os.close(self._in)
            self._folder.cleanup()

    def resize(self, width, height, mobile=False):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def dark(self, wanted=True):
        feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def open(self, path, mark="", wait="document.documentElement?.dataset.complete"):
        """Open a file, and wait until an expression is true."""
        self.call("Page.navigate", url="about:blank")  # or else only the mark changes
        self.call("Page.navigate", url=f"{path.resolve().as_uri()}{mark}")
        self.until(wait)

    def until(self, expression, seconds=60):
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}; {self.said}"
            time.sleep(0.02)

    def evaluate(self, expression):
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def mouse(self, x, y, click=False):
        kinds = ["mouseMoved", *(["mousePressed", "mouseReleased"] if click else [])]
        for kind in kinds:
            button = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def key(self, name):
        code, text = _KEYS[name] if name in _KEYS else (ord(name), name)
        key = {"key": name, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def picture(self, path, whole=False):
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def print(self, path):
        found = self.call("Page.printToPDF", printBackground=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def call(self, method, **parameters):
        self._number += 1
        number, message = self._number, {"method": method, "params": parameters}
        message["id"] = number
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                assert "error" not in found, found["error"]
                return found["result"]

    def _next(self):
        while b"\0" not in self._buffer:
            assert select.select([self._in], [], [], 60)[0], "the browser does not answer"
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        found = json.loads(line)
        self._hear(found.get("method"), found.get("params"))
        return found

    def _hear(self, event, about):
        if event == "Runtime.consoleAPICalled":
            self.said.append(str([part.get("value") for part in about["args"]]))
        elif event == "Runtime.exceptionThrown":
            self.said.append(str(about["exceptionDetails"]))
        elif event == "Log.entryAdded":
            self.said.append(about["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            url = about["request"]["url"]
            if not url.startswith(("file:", "about:", "data:", "blob:")):
                self.said.append(url)
