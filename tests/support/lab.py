"""A real JupyterLab, one for all tests, and the page of a real Chromium that shows one notebook after the other."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from chromium import keep

SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none"},  # otherwise the page lacks the cells off the screen
    "docmanager-extension/plugin": {"autosaveInterval": 3600},
}
# rfc3987_syntax compiles a grammar for a second, as in conftest.
START = "import sys; sys.modules['rfc3987_syntax'] = None; from jupyterlab.labapp import main; main()"
CLOSE = "() => [...window.jupyterapp.shell.widgets('main')].forEach(one => one.dispose())"
OPEN = "path => { void window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'}) }"
POLLING = 40  # milliseconds; Playwright's own choice, every frame, keeps the page drawing while a kernel works
SIZE = {"width": 1280, "height": 900}
READY = """path => {
  const widget = window.jupyterapp && window.jupyterapp.shell.currentWidget
  const context = widget && widget.context && widget.context.sessionContext
  const kernel = context && context.isReady && context.session && context.session.kernel
  return !!kernel && widget.context.path === path && kernel.status === 'idle' && kernel.connectionStatus === 'connected'
}"""
DONE = """index => {
  const cell = window.jupyterapp.shell.currentWidget.content.widgets[index].model
  return cell.executionCount !== null && cell.executionState !== 'running'
}"""

COLOURS = """cell => {
  const ground = element => getComputedStyle(element).backgroundColor
  let behind = cell
  while (behind.parentElement && ground(behind) === 'rgba(0, 0, 0, 0)') behind = behind.parentElement
  return [getComputedStyle(cell).color, ground(behind)]
}"""


@dataclass
class Lab:
    """A server.

    Attributes:
        root: The folder of its notebooks.
        page: JupyterLab in a browser; None before it is needed.
        notebook: What the page shows.
    """

    root: Path
    url: str
    token: str
    server: subprocess.Popen
    log: Path
    page: object = None
    notebook: object = None

    def wait(self):
        """Returns when the server answers."""
        started = time.monotonic()
        while True:
            with contextlib.suppress(OSError):
                self.asked("GET", "status")
                return
            assert self.server.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() - started < 60, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def close_notebook(self):
        """Closes the notebook in the page, and ends every kernel: each holds most of a gigabyte."""
        if self.page is not None and not self.page.is_closed():
            self.page.evaluate(CLOSE)
        self.notebook = None
        self.end_kernels()

    def end_kernels(self):
        """Ends every kernel."""
        for session in json.loads(self.asked("GET", "sessions")):
            self.asked("DELETE", f"sessions/{session['id']}")

    def asked(self, method, what):
        """The server's answer to a request of its interface, as bytes."""
        address = f"{self.url}/api/{what}?token={self.token}"
        with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=30) as answer:
            return answer.read()

    def opened_in(self, browser):
        """A new page of JupyterLab, which tells its requests and errors to the notebook that it shows."""
        own = (self.url, self.url.replace("http", "ws"), "data:", "blob:")

        def requested(request):
            if self.notebook is not None and not request.url.startswith(own):
                self.notebook.requests.append(request.url)

        def told(message):
            if self.notebook is not None and message.type == "error":
                self.notebook.errors.append(message.text)

        self.page = browser.new_page(viewport=SIZE)
        self.page.on("request", requested)
        self.page.on("console", told)
        return self.page


@contextlib.contextmanager
def reserved_port():
    """A port for a server; the system gives it to no other process until the block ends."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # with it, the server may bind the same port
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextlib.contextmanager
def jupyterlab(folder: Path, kernels: Path):
    """A JupyterLab server on `folder`/root, with settings and state of its own, and the kernels of `warm_kernels`.

    It starts while the block does other things; `Lab.wait` waits for it.
    """
    root, state = folder / "root", folder / "state"
    root.mkdir(parents=True)
    for name, values in SETTINGS.items():
        file = state / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    token = secrets.token_hex(16)
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    environment = os.environ | {name: str(state / place) for name, place in places.items()}
    environment["JUPYTER_PATH"] = str(kernels)
    command = [
        *(sys.executable, "-c", START, "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"),
        *("--expose-app-in-browser", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
        *("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--ServerApp.terminals_enabled=False"),
        "--KernelManager.shutdown_wait_time=1",  # seconds; a kernel has nothing to save
    ]
    log = state / "server.log"
    with reserved_port() as port, log.open("w") as output:
        environment["JUPYTER_PLATFORM_DIRS"] = "1"
        server = subprocess.Popen([*command, f"--port={port}"], env=environment, stdout=output, stderr=output)
        found = Lab(root, f"http://127.0.0.1:{port}", token, server, log)
        try:
            yield found
            found.wait()
            found.end_kernels()
        finally:
            server.kill()  # it has nothing to save
            server.wait(20)


@dataclass
class Notebook:
    """One notebook open in a page of its own."""

    page: object
    requests: list = field(default_factory=list)
    errors: list = field(default_factory=list)

    def run(self, index):
        """Runs one cell and waits for its end."""
        script = """index => {
          window.jupyterapp.shell.currentWidget.content.activeCellIndex = index
          void window.jupyterapp.commands.execute('notebook:run-cell')
        }"""
        self.page.evaluate(script, index)
        self.page.wait_for_function(DONE, arg=index, timeout=180_000, polling=POLLING)

    def outputs(self, index):
        """A cell's outputs as the notebook's file would hold them."""
        path = f"window.jupyterapp.shell.currentWidget.content.widgets[{index}].model.outputs.toJSON()"
        return self.page.evaluate(f"() => {path}")

    def theme(self, name):
        """JupyterLab Light or JupyterLab Dark."""
        script = "theme => { void window.jupyterapp.commands.execute('apputils:change-theme', {theme}) }"
        self.page.evaluate(script, name)
        light = str("Light" in name).lower()
        self.page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=light)
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def screenshot(self, name):
        """Saves a picture of the page as artifacts/<name>.png."""
        keep(self.page, name)


def open_notebook(lab, browser, name, cells=None):
    """The notebook `name` of the server's root (written from `cells` if given), ready to run.

    The page stays, since JupyterLab takes seconds to load; the notebook that it showed is closed. So a file works
    with one notebook after the other.
    """
    if cells is not None:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, lab.root / name)
    lab.wait()
    lab.close_notebook()
    if lab.page is None or lab.page.is_closed():
        page = lab.opened_in(browser)
        lab.notebook = Notebook(page)
        page.goto(f"{lab.url}/doc/tree/{name}?token={lab.token}&reset", wait_until="commit")
    else:
        page = lab.page
        lab.notebook = Notebook(page)
        page.set_viewport_size(SIZE)
        page.evaluate(OPEN, name)
    page.wait_for_function(READY, arg=name, timeout=90_000, polling=POLLING)
    return lab.notebook


def contrast(*colours):
    """WCAG 2's contrast of two CSS colours, 1 to 21."""

    def luminance(colour):
        channels = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)
