#!/usr/bin/env python3
"""Open a page of `aliascope … --html` in headless Chromium and look whether it works.

    aliascope layers models/efficientnet-lite0.onnx --images photos/chelsea.png --html page.html
    python3 scripts/check_page.py page.html [--screenshots FOLDER]

In light and dark and at 400 and 1400 px: the console holds no message, nothing was fetched, the page is no wider than
the window, text and ground differ in the scheme's direction; sorting and filtering do what they say, a click on a node
of the graph marks its row. Needs `chromium` and `chromedriver` (Debian: chromium, chromium-driver) and nothing else;
`python3 scripts/setup.py --browser` installs them.
"""

import argparse
import base64
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

SORTED = """
const [selector, column] = arguments;
const table = document.querySelector(selector);
return Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).map((row) => row.cells[column].dataset.v);
"""
HEADS = """
const table = document.querySelectorAll('table.sortable')[arguments[0]];
return Array.from(table.tHead.rows[0].cells, (head) => [head.textContent, head.classList.contains('word')]);
"""
CLICKED = """
const [table, column] = [document.querySelectorAll('table.sortable')[arguments[0]], arguments[1]];
table.tHead.rows[0].cells[column].querySelector('button').click();
return Array.from(table.tBodies[0].rows, (row) => row.cells[column].dataset.v);
"""
BY_LOCALE = """
const sorted = arguments[0].slice().sort((a, b) => a.localeCompare(b));
return arguments[1] ? sorted.reverse() : sorted;
"""
LUMINANCE = """
const parse = (color) => color.match(/[0-9.]+/g).slice(0, 3).reduce((sum, v) => sum + Number(v), 0) / 765;
const style = getComputedStyle(document.body);
return [parse(style.backgroundColor), parse(style.color)];
"""


class Browser:
    """A session of headless Chromium, through the WebDriver protocol."""

    def __init__(self, driver, chromium):
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        options = {"binary": chromium, "args": ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        for attempt in range(50):
            try:
                answer = self.ask("/session", {"capabilities": {"alwaysMatch": wanted}})
                break
            except OSError:
                if attempt == 49:
                    raise
                time.sleep(0.2)
        self.base += f"/session/{answer['sessionId']}"

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        method = method or ("GET" if body is None else "POST")
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def tool(self, command, **params):
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": params})

    def run(self, script, *arguments):
        return self.ask("/execute/sync", {"script": script, "args": list(arguments)})

    def log(self, kind):
        return self.ask("/se/log", {"type": kind})

    def close(self):
        with contextlib.suppress(OSError):
            self.ask("", method="DELETE")
        self.process.terminate()
        self.process.wait()


def check(browser, url, scheme, width, screenshots):
    """What is wrong with the page in one scheme and width, as sentences."""
    wrong = []
    browser.tool("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.tool(
        "Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 600
    )
    browser.log("browser"), browser.log("performance")
    browser.ask("/url", {"url": url})
    for entry in browser.log("browser"):
        wrong.append(f"the console says: {entry['message']}")
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked = message["params"]["request"]["url"]
            if asked.split("#")[0] != url and not asked.startswith("data:"):
                wrong.append(f"the page asks for {asked}")
    ground, ink = browser.run(LUMINANCE)
    if (ground > ink) != (scheme == "light"):
        wrong.append(f"ground {ground:.2f} and ink {ink:.2f} are not {scheme}")
    needed = browser.run("return document.documentElement.scrollWidth;")
    if needed > width:
        wrong.append(f"the page is {needed} px wide")
    wrong += works(browser) + sorts(browser)
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
        height = min(browser.run("return document.documentElement.scrollHeight;"), 12000)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = browser.tool("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        (screenshots / f"{scheme}-{width}.png").write_bytes(base64.b64decode(picture["data"]))
    return wrong


def works(browser):
    """Sorting, filtering and the graph's clicks, in every attribution."""
    wrong = []
    for section in browser.run("return Array.from(document.querySelectorAll('section.attribution'), (s) => s.id);"):
        browser.run(
            "const choice = document.getElementById('choice');"
            "if (choice) { choice.value = arguments[0]; choice.dispatchEvent(new Event('change')); }",
            section,
        )
        shown = browser.run(
            "return Array.from(document.querySelectorAll('section.attribution')).filter((s) => !s.hidden).map((s) => s.id);"
        )
        if shown != [section]:
            wrong.append(f"{section} is chosen, {shown} shown")
        table = f"#{section} table.layers"
        heads = browser.run(f"return Array.from(document.querySelectorAll('{table} th'), (head) => head.dataset.key);")
        click = f"document.querySelectorAll('{table} th button')[arguments[0]].click();"
        values = [float(v) for v in browser.run(SORTED, table, heads.index("contribution"))]
        if values != sorted(values, reverse=True):
            wrong.append(f"{section}: the table does not begin with the largest contribution")
        for name in ("contribution", "signed share"):
            column = heads.index(name)
            browser.run(click, column)
            values = [float(v) for v in browser.run(SORTED, table, column) if v]
            if values != sorted(values, reverse=True):
                wrong.append(f"{section}: sorted by {name} the column is out of order")
        rows = len(browser.run(SORTED, table, 0))
        classes = browser.run(SORTED, table, 3)
        if classes:
            browser.run(
                f"const s = document.querySelector('#{section} select.by-class'); s.value = arguments[0];"
                "s.dispatchEvent(new Event('change'));",
                classes[0],
            )
            left = browser.run(SORTED, table, 3)
            if left != [c for c in classes if c == classes[0]]:
                wrong.append(f"{section}: the filter by class leaves {left}")
        name = f"const t = document.querySelector('#{section} input.by-name'); t.value = arguments[0];"
        browser.run(name + "t.dispatchEvent(new Event('input'));", "no layer is called so")
        if browser.run(SORTED, table, 0):
            wrong.append(f"{section}: the filter by name lets everything through")
        node = browser.run(
            f"const n = document.querySelector('#{section} [data-layer]');"
            "if (!n) return null; n.dispatchEvent(new Event('click')); return n.dataset.layer;"
        )
        if node is not None:
            chosen = browser.run(f"return document.querySelector('{table} tr.chosen')?.dataset.place;")
            if chosen != node or len(browser.run(SORTED, table, 0)) != rows:
                wrong.append(f"{section}: a click on the node of layer {node} marks {chosen}")
        browser.run(f"document.querySelectorAll('{table} tr.chosen').forEach((r) => r.classList.remove('chosen'));")
        folded = browser.run(
            f"const f = document.querySelector('#{section} input.by-module'); f.click();"
            f"const heads = document.querySelectorAll('{table} tr.module').length;"
            f"const left = Array.from(document.querySelectorAll('{table} tbody tr')).filter((r) => !r.hidden).length;"
            f"const first = document.querySelector('{table} tr.module button'); if (first) first.click();"
            f"const more = Array.from(document.querySelectorAll('{table} tbody tr')).filter((r) => !r.hidden).length;"
            "f.click(); return [heads, left, more];"
        )
        heads_shown, left, more = folded
        if heads_shown and not (left < rows and more > left):
            wrong.append(f"{section}: {heads_shown} modules fold {rows} rows to {left} and unfold to {more}")
        if len(browser.run(SORTED, table, 0)) != rows or browser.run(f"return !!document.querySelector('{table} tr.module');"):
            wrong.append(f"{section}: unfolded, the table is not what it was")
    browser.run("window.scrollTo(0, 0);")
    return wrong


def sorts(browser):
    """What is wrong with the tables that sort: a click on each head sorts by its column, a second one the other way."""
    wrong = []
    for table in range(browser.run("return document.querySelectorAll('table.sortable').length;")):
        heads = browser.run(HEADS, table)
        for column, (name, is_words) in enumerate(heads):
            seen = [browser.run(CLICKED, table, column) for _ in range(2)]
            for values, down in zip(seen, (not is_words, is_words)):
                there = [value if is_words else float(value) for value in values if value]
                # Of words the browser's own order counts.
                order = sorted(there, reverse=down) if not is_words else browser.run(BY_LOCALE, there, down)
                if there != order or any(values[len(there) :]):
                    wrong.append(f"table {table + 1}: sorted by {name} the column is out of order")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path, help="keep pictures of the page in this folder")
    arguments = parser.parse_args()
    chromium, driver = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if not chromium or not driver:
        sys.exit(
            "chromium and chromedriver are not both there: run `python3 scripts/setup.py --browser`, then run again"
        )
    if not arguments.page.is_file():
        sys.exit(f"{arguments.page} is no file; make it with aliascope layers --html or aliascope survey report --html")
    url = arguments.page.resolve().as_uri()
    failures = 0
    browser = Browser(driver, chromium)
    try:
        for scheme in ("light", "dark"):
            for width in (400, 1400):
                wrong = check(browser, url, scheme, width, arguments.screenshots)
                failures += len(wrong)
                print(f"{scheme}, {width} px: " + ("; ".join(wrong) or "good"))
    finally:
        browser.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
