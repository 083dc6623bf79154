"""A real JupyterLab, one for all tests, and a page of a real Chromium for each notebook."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
NOT_ARGUMENTS = ["--hide-scrollbars"]  # Playwright's own: without it a scrollbar takes room, as a reader sees it
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none"},  # otherwise the page lacks the cells off the screen
    "docmanager-extension/plugin": {"autosaveInterval": 3600},
}
READY = """() => {
  const widget = window.jupyterapp && window.jupyterapp.shell.currentWidget
  const context = widget && widget.context && widget.context.sessionContext
  const kernel = context && context.isReady && context.session && context.session.kernel
  return !!kernel && kernel.status === 'idle' && kernel.connectionStatus === 'connected'
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
    """A running server."""

    root: Path
    url: str
    token: str

    def end_kernels(self):
        """Ends every kernel: each holds most of a gigabyte."""
        for session in json.loads(self.asked("GET", "sessions")):
            self.asked("DELETE", f"sessions/{session['id']}")

    def asked(self, method, what):
        """The server's answer to a request of its interface, as bytes."""
        address = f"{self.url}/api/{what}?token={self.token}"
        with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=30) as answer:
            return answer.read()


@contextlib.contextmanager
def reserved_port():
    """A port for a server; the system gives it to no other process until the block ends."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # with it, the server may bind the same port
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextlib.contextmanager
def jupyterlab(folder: Path, kernels: Path):
    """A JupyterLab server on `folder`/root, with settings and state of its own, and the kernels of `warm_kernels`."""
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
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"),
        *("--expose-app-in-browser", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
        *("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--ServerApp.terminals_enabled=False"),
    ]
    log = state / "server.log"
    with reserved_port() as port, log.open("w") as output:
        environment["JUPYTER_PLATFORM_DIRS"] = "1"
        server = subprocess.Popen([*command, f"--port={port}"], env=environment, stdout=output, stderr=output)
        found, started = Lab(root, f"http://127.0.0.1:{port}", token), time.monotonic()
        try:
            while True:
                with contextlib.suppress(OSError):
                    found.asked("GET", "status")
                    break
                assert server.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() - started < 60, log.read_text()[-3000:]
                time.sleep(0.1)
            yield found
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


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
        self.page.wait_for_function(DONE, arg=index, timeout=180_000)

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
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


def open_notebook(lab, browser, name, cells=None):
    """The notebook `name` of the server's root (written from `cells` if given), ready to run."""
    if cells is not None:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, lab.root / name)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    found = Notebook(page)
    own = (lab.url, lab.url.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else found.requests.append(request.url))
    page.on("console", lambda message: found.errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{lab.url}/doc/tree/{name}?token={lab.token}&reset")
    page.wait_for_function(READY, timeout=90_000)
    return found


def contrast(*colours):
    """WCAG 2's contrast of two CSS colours, 1 to 21."""

    def luminance(colour):
        channels = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)
