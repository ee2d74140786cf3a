"""Commands in processes of their own that begin as copies of one that has imported what they need.

Most commands of the tests take less time than Python takes to start and import. ``run`` is what ``subprocess.run`` of
``python -m MODULE`` is, but for that: a server with the imports forks for each command. ::

    test -- socket --> server -- fork --> waiter -- fork --> command
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

_LIBRARIES = ("genai_prices", "jinja2.sandbox", "jsonschema", "numpy", "openai", "tiktoken", "tabulate", "yaml")


def run(
    module: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """``python -m MODULE ARGUMENTS``, whose output is kept.

    Raises:
        subprocess.TimeoutExpired: It took longer, and was killed.
    """
    command = [sys.executable, "-m", module, *arguments]
    if any(name.startswith("PYTHON") and os.environ.get(name) != value for name, value in env.items()):
        # The interpreter itself reads these when it starts.
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False)
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(_address(module))
            request = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
            packed = json.dumps(request).encode()
            socket.send_fds(connection, [len(packed).to_bytes(4, "big")], [stdout.fileno(), stderr.fileno()])
            connection.sendall(packed)
            answers = connection.makefile()
            process = int(answers.readline())
            if not select.select([connection], [], [], timeout)[0]:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command, timeout)
            code = int(answers.readline())
        return subprocess.CompletedProcess(command, code, _text(stdout), _text(stderr))


def _text(file: tempfile._TemporaryFileWrapper[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


@cache
def _address(module: str) -> str:
    """The socket of the server for a module, which ends with this process."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "server"
    # What it reads never comes: the end of this process closes it.
    server = subprocess.Popen(
        [sys.executable, __file__, module, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"

    def end() -> None:
        server.communicate()
        path.unlink()
        folder.rmdir()

    atexit.register(end)
    return str(path)


def _imported(module: str) -> Iterator[str]:
    yield from _LIBRARIES
    if module == "pytest":
        # Whatever else pytest imports it rewrites, and does not look at what is there already.
        yield from ("pytest", "xdist.plugin")
    if module == "promptopt":
        package = importlib.import_module(module)
        names = (found.name for found in pkgutil.walk_packages(package.__path__, "promptopt."))
        yield from (name for name in names if not name.endswith((".__main__", ".pytest_plugin", ".testing")))


def _serve(module: str, path: str) -> list[str]:
    """Serve until the test process ends. Returns in each command's process, with its arguments."""
    for name in _imported(module):
        # What needs an extra that is not installed says so to whoever uses it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    if module == "promptopt":
        from promptopt.compression.witness import parser
        from promptopt.tokens import encoding

        encoding("o200k_base")
        if parser.available():
            parser.parse("Load it.")
    # The collector of a child would touch, and so copy, all of it.
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:
                os._exit(0)
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
    return _command(connection)


def _command(connection: socket.socket) -> list[str]:
    length, (stdout, stderr), _, _ = socket.recv_fds(connection, 4, 2)
    packed = b""
    while len(packed) < int.from_bytes(length, "big"):
        packed += connection.recv(65_536)
    request = json.loads(packed)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process = os.fork()
    if process:
        connection.sendall(f"{process}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        # Whoever asked may have given up.
        with contextlib.suppress(OSError):
            connection.sendall(f"{code}\n".encode())
        os._exit(0)
    connection.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["cwd"]
    return list(request["arguments"])


def _main(module: str, arguments: list[str]) -> None:
    """Run a module as ``python -m`` does, and leave without taking all that was imported apart."""
    sys.argv = [module, *arguments]
    code: object = None
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as leave:
        code = leave.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter does before it calls exit functions
    atexit._run_exitfuncs()
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code or 0))


if __name__ == "__main__":
    _main(sys.argv[1], _serve(*sys.argv[1:]))
