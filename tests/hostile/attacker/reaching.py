"""Ways to reach other runs, the suite, other processes or the network.

Each answers with the first cell's cluster whether it did: 1 where it did.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from pathlib import Path

import numpy as np

from methods.contract import Result


def answer(scene, achieved):
    clusters = np.zeros(scene.n_cells, int)
    clusters[0] = int(achieved)
    return Result(clusters)


def tried(scene, act):
    try:
        return answer(scene, act() is not False)
    except OSError as error:
        print("refused", error)
        return answer(scene, False)


def clusters_of_another_replaced(scene):
    np.save("mine.npy", np.zeros(scene.n_cells, int))
    return tried(scene, lambda: os.rename("mine.npy", scene.other / "clusters.parquet"))


def clusters_of_another_overwritten(scene):
    return tried(scene, lambda: (scene.other / "clusters.parquet").write_bytes(b"mine"))


def record_of_another_removed(scene):
    return tried(scene, lambda: os.unlink(scene.other / "run.json"))


def clusters_of_another_overwritten_by_the_shell(scene):
    """Python cannot see it; the checksums of the other run do."""
    code = str(scene.other / "clusters.parquet").encode().hex()
    command = f"f=$(echo {code} | sed 's/../\\\\x&/g' | xargs -0 printf); echo mine > $f"
    return tried(scene, lambda: os.system(command + " 2> /dev/null") == 0)


def code_of_the_methods_changed(scene):
    import methods

    path = Path(methods.__path__[0]).resolve() / "hostile.tmp"
    return tried(scene, lambda: path.write_text("bad = True"))


def environment_changed(scene):
    return tried(scene, lambda: (Path(sys.prefix) / "hostile.tmp").write_text("bad = True"))


def its_own_input_changed(scene):
    """It is a copy: whoever runs next gets the data as they were."""
    path = json.loads(Path(sys.argv[1]).read_text())["input"]
    return tried(scene, lambda: Path(path).write_bytes(b"poison"))


def supervisor_signalled(scene):
    """Signal 0 alone: whether it could be killed."""
    return tried(scene, lambda: os.getppid() > 1 and os.kill(os.getppid(), 0))


def supervisor_signalled_from_c(scene):
    libc = ctypes.CDLL(None, use_errno=True)
    return answer(scene, os.getppid() > 1 and libc.kill(os.getppid(), 0) == 0)


def supervisor_stopped_by_number(scene):

    def send():
        return os.getppid() > 1 and signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)

    return tried(scene, send)


def memory_of_the_supervisor_read(scene):
    def read():
        with open(f"/proc/{os.getppid()}/environ", "rb") as file:
            return os.getppid() > 1 and len(file.read()) > 0

    return tried(scene, read)


def socket_opened(scene):
    """To whatever listens on this host."""
    import contextlib

    with contextlib.closing(socket.socket()) as own:
        own.settimeout(2)
        try:
            own.connect(("127.0.0.1", int(scene.other.name)))
        except OSError as error:
            print("refused", error)
            return answer(scene, False)
    return answer(scene, True)


def datagram_sent(scene):
    """Nobody refuses it where somebody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(0.3)
        try:
            own.connect(("127.0.0.1", int(scene.other.name)))
            own.send(b"x")
            own.recv(1)
        except TimeoutError:
            return answer(scene, True)
        except OSError as error:
            print("refused", error)
    return answer(scene, False)


def note_for_the_next_run(scene):
    """A file where another run could find it; the test looks for it on the host."""
    for folder in ("/dev/shm", "/tmp", "/var/tmp"):
        try:
            (Path(folder) / "hostile-note").write_text("seen")
        except OSError as error:
            print("refused", error)
    return answer(scene, False)


def note_of_an_earlier_run(scene):
    """A note that the test has left on the host."""
    return tried(scene, lambda: Path("/tmp/hostile-note-of-the-test").read_text() == "seen")


def name_of_the_benchmark(scene):
    """Whether path, environment, arguments, job file or mounts tell whose run this is."""
    job = json.loads(Path(sys.argv[1]).read_text())
    job.pop("params")  # the test itself has told it where to attack
    told = [os.getcwd(), *sys.argv, json.dumps(dict(os.environ)), json.dumps(job)]
    told += [Path(f"/proc/self/{name}").read_text() for name in ("mountinfo", "maps")]
    return answer(scene, any("tiny" in text for text in told))


def times_of_the_input(scene):
    """Whether the input's time says when the benchmark was made."""
    path = json.loads(Path(sys.argv[1]).read_text())["input"]
    return answer(scene, os.stat(path).st_mtime > 1e9)


def other_processes(scene):
    """Whether the arguments of any other process can be read."""

    def read():
        own = (os.getpid(), 1)
        numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return any(Path(f"/proc/{n}/cmdline").read_bytes() for n in numbers if n not in own)

    return tried(scene, read)


def other_results_listed(scene):
    return tried(scene, lambda: bool(os.listdir(scene.other.parents[3])))
