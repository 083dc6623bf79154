"""Kernels that are forked from a process which has imported torch, diffusers and sdexplore already.

A kernel is IPython's own, in a process of its own. It starts in a tenth of a second. The imports take five seconds, and
would be the same in every kernel. JupyterLab and nbclient find it as the kernelspec "python3" of a folder in
`JUPYTER_PATH`. Its command is this file, which asks the server for a kernel, passes signals on to it and ends with it.
One server serves every process of a test run. It imports nothing before the first kernel is asked for, or `prepare` is
called.
"""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

SOCKET = "kernels.socket"
LONGEST = 2**20  # bytes of a request
LEFT_OUT = ("bench", "mini.training", "mini.evaluation")  # no notebook imports them before it runs


@contextlib.contextmanager
def warm_kernels(folder):
    """A folder for `JUPYTER_PATH`; until the block ends, its kernels come from one server."""
    address = folder / SOCKET
    spec = folder / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    command = [sys.executable, "-I", "-S", __file__, str(address), "-f", "{connection_file}"]
    # JupyterLab's debugger writes an error into the console when a notebook is closed while it asks the kernel.
    facts = {"argv": command, "display_name": "Python 3", "language": "python", "metadata": {"debugger": False}}
    spec.write_text(json.dumps(facts))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            start_new_session=True,  # so that Ctrl-C ends it by way of this block alone
        )
    try:
        yield folder
    finally:
        server.terminate()
        server.wait(20)


def prepare(folder):
    """Has the server import everything now, before the first kernel is asked for."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(folder / SOCKET))


def serve(listener):
    """Forks a kernel for each connection; tells its client the process and, in the end, the exit code."""
    import selectors

    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.select()  # somebody waits for a kernel
    _import_everything()
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                client, _ = listener.accept()
                request, files, *_ = socket.recv_fds(client, LONGEST, 2)
                if not request:
                    client.close()
                    continue
                process = os.fork()
                if process == 0:
                    selector.close()
                    listener.close()
                    _become_kernel(json.loads(request), files)
                for file in files:
                    os.close(file)
                client.sendall(f"{process}\n".encode())
                ended = os.pidfd_open(process)
                selector.register(ended, selectors.EVENT_READ, (process, client, ended))
                selector.register(client, selectors.EVENT_READ, (process, client, ended))
                continue
            process, client, ended = key.data
            if key.fileobj is client:  # it was killed, and its kernel with it
                os.kill(process, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            selector.unregister(client)
            selector.unregister(ended)
            with contextlib.suppress(OSError):
                client.sendall(f"{code}\n".encode())
            client.close()
            os.close(ended)
            break  # the other of the two may be among what was selected


def _import_everything():
    # As in every kernel; ipykernel and matplotlib read them while they are imported.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    import importlib
    import pkgutil

    import diffusers
    import diffusers.guiders
    import transformers
    from ipykernel import ipkernel, kernelapp  # noqa: F401  (the kernels need them)
    from PIL import Image

    import sdexplore

    Image.init()
    for names, library in (
        (("StableDiffusionPipeline", "DDIMScheduler", "PNDMScheduler"), diffusers),
        (("CLIPTextModel", "CLIPTokenizer", "CLIPTokenizerFast"), transformers),
    ):
        for name in names:
            getattr(library, name)
    for scheduler in diffusers.schedulers.KarrasDiffusionSchedulers:  # a pipeline imports them when it is loaded
        getattr(diffusers, scheduler.name)
    left_out = tuple(f"sdexplore.{name}" for name in LEFT_OUT)
    for module in pkgutil.walk_packages(sdexplore.__path__, "sdexplore."):
        if not module.name.startswith(left_out) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _become_kernel(request, files):
    os.setsid()
    for file, place in zip(files, (1, 2), strict=True):
        os.dup2(file, place)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"], JPY_PARENT_PID=str(os.getppid()))
    if os.environ.get("TQDM_DISABLE"):  # tqdm reads it while it is imported, which is over
        from tqdm import tqdm

        tqdm.__init__ = functools.partialmethod(tqdm.__init__, disable=True)
    sys.argv[:] = ["ipykernel_launcher", *request["arguments"]]
    sys.path[0] = ""  # the folder of the notebook, as in every kernel
    from ipykernel import kernelapp

    code = 1
    try:
        kernelapp.launch_new_instance(request["arguments"])
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def ask(address, arguments):
    """Has a kernel forked, and stands for its process until it ends; returns its exit code."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        request = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
        socket.send_fds(server, [json.dumps(request).encode()], [1, 2])
        answers = server.makefile()
        process = int(answers.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(process, number))
        return int(answers.readline() or 1)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(socket.socket(fileno=int(sys.argv[2])))
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
