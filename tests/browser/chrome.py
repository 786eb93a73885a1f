"""A headless browser, driven over two pipes with Chromium's DevTools protocol.

``--remote-debugging-pipe`` makes Chromium read messages from file descriptor 3 and write to 4. A
message is JSON, and ends with a zero byte. So a test needs no library for browsers.
"""

import json
import os
import select
import shutil
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


def find_chrome():
    """Return the path of a Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chrome:
    """One tab of a browser. `events` has what the page reported since the last `open`."""

    def __init__(self, path, profile):
        theirs, self.out = os.pipe()
        self.into, ours = os.pipe()
        null = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in (0, 1, 2)]
        pipes = [(os.POSIX_SPAWN_DUP2, theirs, 3), (os.POSIX_SPAWN_DUP2, ours, 4)]
        command = [path, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        self.pid = os.posix_spawn(path, command, os.environ, file_actions=[*null, *pipes])
        os.close(theirs)
        os.close(ours)
        self.pending, self.events, self.count, self.session = b"", [], 0, {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        """End the browser, and wait until it has ended."""
        self.session = {}
        self.call("Browser.close")
        os.waitpid(self.pid, 0)
        os.close(self.out)
        os.close(self.into)

    def call(self, method, **params):
        """Return the result of a command; what happens meanwhile is added to `events`."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **self.session}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.count:
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]
            self.events.append(answer)

    def _read(self, seconds=60):
        """Return the next message of the browser."""
        while b"\0" not in self.pending:
            ready = select.select([self.into], [], [], seconds)[0]
            piece = os.read(self.into, 1 << 20) if ready else b""
            assert piece, f"the browser ended, or said nothing for {seconds} seconds"
            self.pending += piece
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def open(self, url):
        """Open a page, wait until it and its mathematics are shown, and return the events."""
        self.events = []
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())
        self.run("window.MathJax?.startup?.promise")
        return self.events

    def run(self, script):
        """Return the value of a script in the page; a promise is awaited."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, script, seconds=20):
        """Return the value of a script as soon as it is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"{script} is not true after {seconds} seconds"
            time.sleep(0.02)
        return value

    def resize(self, width, height=900):
        """Give the window another size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
