"""The documentation in a browser: what a reader sees, on a wide screen and on a telephone.

The pages are built, or are those of ``--site=FOLDER``, and are served on this machine.
"""

import contextlib
import functools
import http.server
import re
import threading
import urllib.parse

import pytest
from chrome import Chrome, find_chrome

WIDE, NARROW = 1280, 390  # pixels
ADDRESS = re.compile(r"object at 0x")  # wrong in code, too
# What was meant to be typeset, linked or left out.
RAW = {
    "TeX": re.compile(r"\\(?:frac|sum|begin|end|left|right|mathrm|partial|odot|cdot)\b|\\[\[(]"),
    "backticks": re.compile(r"`"),
    "stand-ins for arguments": re.compile(r"\*_"),
    "the address of an object": ADDRESS,
}
# The text that is shown, without code: there, a backslash and a backtick mean themselves.
TEXT = """(() => {
    const style = document.createElement("style");
    style.textContent = "pre, code, mjx-assistive-mml { display: none !important }";
    document.head.append(style);
    const text = document.body.innerText;
    style.remove();
    return text;
})()"""
COUNTS = """[
    document.querySelectorAll("mjx-container").length,
    document.querySelectorAll('img[alt]:not([alt=""])').length,
    [...document.images].filter(image => !image.hasAttribute("alt")).map(image => image.src),
    [...document.images].filter(image => image.complete && !image.naturalWidth && image.src)
        .map(image => image.src),
]"""
# Each result: where it leads, without the folder, and in which order it is shown.
RESULTS = """(() => {
    const shown = [...document.querySelectorAll("#search-results ul.search > li > a")];
    const done = document.querySelector("#search-results .search-summary")?.innerText ?? "";
    const finished = /finished|found|not match/i.test(done) && !/searching/i.test(done);
    return finished && shown.map(link => new URL(link.href).pathname);
})()"""
# What people type, and the pages that answer.
SEARCHES = {
    "install": ["index"],
    "sigmoid": ["reference/activations", "mathematics/activations"],
    "checkpoint": ["training"],
    "learning rate": ["optimizers", "reference/schedules"],
    "early stopping": ["training", "reference/callbacks"],
    "convolution": [
        "images",
        "reference/layers",
        "mathematics/layers",
        "tutorials/convolutional_network",
    ],
    "onnx": ["exchange", "scoring", "reference/exchange"],
    "pandas": ["data"],
    "labels strings": ["mistakes", "data"],
    "one hot": ["tutorials/own_csv"],
    "precision recall": ["metrics"],
    "resume training": ["training"],
    "save model": ["reference/model"],
    "pytorch": ["coming_from_pytorch"],
    "custom activation": ["extending", "tutorials/own_activation"],
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that writes no log."""

    def log_message(self, *arguments):
        """Write nothing."""


@contextlib.contextmanager
def served(folder):
    """Serve a folder on this machine, and give the address."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def address(site):
    """Where the pages are served."""
    with served(site) as address:
        yield address


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    """A browser, or none where none is installed."""
    path = find_chrome()
    if path is None:
        pytest.skip("no Chromium or Chrome is installed")
    browser = Chrome(path, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def visited(site, address, chrome):
    """What each page shows and reports: it is opened once, and then made narrow."""
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    return {name: visit(chrome, address, name) for name in names}


def visit(chrome, address, name):
    """Return what a page shows and reports."""
    chrome.resize(WIDE)
    events = list(chrome.open(f"{address}/{name}"))
    equations, images, without_alt, broken = chrome.run(COUNTS)
    page = {"text": chrome.run(TEXT), "equations": equations, "images": images}
    page["text"] += "".join(ADDRESS.findall(chrome.run("document.body.innerText")))
    chrome.resize(NARROW)
    page["width"] = chrome.run("document.scrollingElement.scrollWidth")
    page["wrong"] = [*complaints(events, address), *[f"no alt: {src}" for src in without_alt]]
    page["wrong"] += [f"not an image: {src}" for src in broken]
    return page


def complaints(events, address):
    """Yield each error of the console, failed request, and request that leaves the machine."""
    urls = {}
    for event in events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            yield f"exception: {params['exceptionDetails']}"
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            yield f"console: {[value.get('value') for value in params['args']]}"
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            yield f"log: {params['entry']['text']} {params['entry'].get('url', '')}"
        elif method == "Network.requestWillBeSent":
            url = urls[params["requestId"]] = params["request"]["url"]
            if not url.startswith((address, "data:", "blob:")):
                yield f"leaves the machine: {url}"
        elif method == "Network.loadingFailed":
            yield f"failed: {urls.get(params['requestId'])}"
        elif method == "Network.responseReceived" and params["response"]["status"] >= 400:
            yield f"status {params['response']['status']}: {params['response']['url']}"


FAULTY = r"""<!doctype html><link rel="icon" href="data:,"><title>faults</title>
<p>\frac{1}{m} `back` Dense(*_, **fields) &lt;object at 0x7f&gt;</p><pre>`code` may say so</pre>
<div style="width: 800px">wide</div><img src="missing.png">
<script src="http://tinynet.invalid/script.js"></script>
<script>console.error("a complaint"); undefined_name</script>"""


def test_faults_are_seen(chrome, tmp_path):
    """A page with one fault of each kind is found out."""
    (tmp_path / "faults.html").write_text(FAULTY, "utf-8")
    with served(tmp_path) as address:
        page = visit(chrome, address, "faults.html")
    for kind, pattern in RAW.items():
        assert pattern.search(page["text"]), f"{kind}: not seen"
    assert "may say so" not in page["text"], "code is not raw text"
    assert page["width"] >= 800
    wrong = "\n".join(page["wrong"])
    for words in ("a complaint", "undefined_name is not defined", "status 404", "failed: http://tinynet.invalid",
                  "leaves the machine", "no alt", "not an image"):  # fmt: skip
        assert words in wrong, f"{words!r} is not in {wrong}"


def test_pages_report_nothing(visited):
    """No page has an error, a request that fails or leaves the machine, or an image without alt."""
    assert {name: page["wrong"] for name, page in visited.items() if page["wrong"]} == {}
    assert len(visited) > 40, "too few pages"


@pytest.mark.parametrize("kind", RAW)
def test_no_raw_text(visited, kind):
    """Nothing stands in the text that should have been typeset, or means something only here."""
    shown = {name: RAW[kind].findall(page["text"]) for name, page in visited.items()}
    assert {name: found[:5] for name, found in shown.items() if found} == {}


def test_narrow_pages_do_not_scroll_sideways(visited):
    """On a telephone no page is wider than the screen: wide tables and equations scroll alone."""
    wide = {name: page["width"] for name, page in visited.items() if page["width"] > NARROW}
    assert wide == {}


def test_pictures_and_equations(visited):
    """There are pictures, with text for those who do not see them, and typeset equations."""
    assert sum(page["images"] for page in visited.values()) >= 25
    assert sum(page["equations"] for page in visited.values()) >= 150


@pytest.mark.parametrize("words", SEARCHES)
def test_search(site, address, chrome, words):
    """What people type leads to the page for it, among the first three results."""
    pages = [name for name in SEARCHES[words] if (site / f"{name}.html").exists()]
    assert pages, f"none of the pages {SEARCHES[words]} exists"
    chrome.resize(WIDE)
    chrome.open(f"{address}/search.html?q={urllib.parse.quote_plus(words)}")
    shown = chrome.wait(RESULTS)
    first = [path.strip("/").removesuffix(".html") for path in dict.fromkeys(shown)][:3]
    assert {*pages} & {*first}, f"the first results for {words!r} are {first}"
