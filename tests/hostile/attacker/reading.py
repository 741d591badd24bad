"""Ways to read the truth. Each returns the bytes of the truth's file where it works."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys

PRINT = "import sys; sys.stdout.buffer.write(open({}, 'rb').read())"
SIZE = 2**16
"""Bytes of the copy of the truth that stands in the prepared data, with zeros behind it."""


def plain_open(scene):
    return scene.truth.read_bytes()


def shell(scene):
    return subprocess.run(f"cat < {scene.truth}", shell=True, capture_output=True).stdout


def shell_in_pieces(scene):
    folder, name = scene.truth.parent, scene.truth.name
    text = f"cd {str(folder)[:-1]}'{str(folder)[-1]}' && cat {name}"
    return subprocess.run(text, shell=True, capture_output=True).stdout


def working_directory(scene):
    command = ["cat", scene.truth.name]
    return subprocess.run(command, cwd=scene.truth.parent, capture_output=True).stdout


def python_command(scene):
    code = PRINT.format(f"{str(scene.truth)[::-1]!r}[::-1]")
    return subprocess.run([sys.executable, "-c", code], capture_output=True).stdout


def environment_variable(scene):
    command = ["sh", "-c", "cat $WHERE"]
    env = {**os.environ, "WHERE": str(scene.truth)}
    return subprocess.run(command, env=env, capture_output=True).stdout


def script_on_standard_input(scene):
    code = PRINT.format(repr(str(scene.truth))).encode()
    return subprocess.run([sys.executable, "-"], input=code, capture_output=True).stdout


def system(scene):
    os.system(f"cat {scene.truth} > stolen")
    with open("stolen", "rb") as file:
        return file.read()


def system_in_hexadecimal(scene):
    code = str(scene.truth).encode().hex()
    os.system(f"cat $(echo {code} | sed 's/../\\\\x&/g' | xargs -0 printf) > stolen")
    with open("stolen", "rb") as file:
        return file.read()


def spawn(scene):
    into = os.open("stolen", os.O_WRONLY | os.O_CREAT)
    actions = [(os.POSIX_SPAWN_DUP2, into, 1)]
    pid = os.posix_spawn("/bin/cat", ["cat", str(scene.truth)], os.environ, file_actions=actions)
    os.waitpid(pid, 0)
    with open("stolen", "rb") as file:
        return file.read()


def spawn_that_opens(scene):
    """The kernel opens the file for the child, in no Python."""
    into = os.open("stolen", os.O_WRONLY | os.O_CREAT)
    actions = [(os.POSIX_SPAWN_OPEN, 0, str(scene.truth), os.O_RDONLY, 0),
               (os.POSIX_SPAWN_DUP2, into, 1)]  # fmt: skip
    os.waitpid(os.posix_spawn("/bin/cat", ["cat"], os.environ, file_actions=actions), 0)
    with open("stolen", "rb") as file:
        return file.read()


def libc_open(scene):
    libc, buffer = ctypes.CDLL(None), ctypes.create_string_buffer(1 << 20)
    size = libc.read(libc.open(str(scene.truth).encode(), os.O_RDONLY), buffer, len(buffer))
    return buffer.raw[: max(0, size)]


def libc_in_a_process_of_its_own(scene):
    if (pid := os.fork()) == 0:
        with open("stolen", "wb") as file:
            file.write(libc_open(scene))
        os._exit(0)
    os.waitpid(pid, 0)
    with open("stolen", "rb") as file:
        return file.read()


def relative_to_a_descriptor(scene):
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    descriptor = os.open(str(scene.truth)[1:], os.O_RDONLY, dir_fd=root)
    return os.read(descriptor, 1 << 20)


def torch_storage(scene):
    import torch

    size = os.stat(scene.truth).st_size
    return bytes(torch.UntypedStorage.from_file(str(scene.truth), False, size))


def pyarrow_file(scene):
    import pyarrow as pa

    return pa.lib.OSFile(str(scene.truth)).read()


def pyarrow_map(scene):
    import pyarrow as pa

    return pa.lib.memory_map(str(scene.truth)).read()


def pyarrow_filesystem(scene):
    import pyarrow._fs as fs

    return fs.LocalFileSystem().open_input_file(str(scene.truth)).read()


def hdf5_external_link(scene):
    """A file of its own whose group lies in the prepared data, which hold the labels."""
    import h5py

    with h5py.File("mine.h5", "w") as file:
        file["other"] = h5py.ExternalLink(str(scene.prepared), "/")
    with h5py.File("mine.h5") as file:
        return file["other"]["uns/truth"][()].tobytes().rstrip(b"\0")


def hdf5_virtual_dataset(scene):
    import h5py

    layout = h5py.VirtualLayout((SIZE,), "u1")
    layout[:] = h5py.VirtualSource(str(scene.prepared), "uns/truth", (SIZE,), "u1")
    with h5py.File("mine.h5", "w") as file:
        file.create_virtual_dataset("other", layout)
    with h5py.File("mine.h5") as file:
        return file["other"][()].tobytes().rstrip(b"\0")


def guard_emptied(scene):
    for each in gc.get_objects():
        if type(each).__name__ == "Guard":
            each.hashes = frozenset()
            each.is_protected.cache_clear()
    return scene.truth.read_bytes()


def guard_patched(scene):
    for each in gc.get_objects():
        if type(each).__name__ == "Guard":
            type(each).check = lambda self, path: None
    return scene.truth.read_bytes()


def report_closed(scene):
    """Where the tripwire cannot report, its write fails: an error to swallow."""
    for descriptor in range(3, 64):
        try:
            os.close(descriptor)
        except OSError:
            continue
    return scene.truth.read_bytes()


def own_root(scene):
    with open(f"/proc/self/root{scene.truth}", "rb") as file:
        return file.read()


def root_of_the_supervisor(scene):
    with open(f"/proc/{os.getppid()}/root{scene.truth}", "rb") as file:
        return file.read()


def cwd_of_another_process(scene):
    """Start a process in the vault and read through its working directory."""
    child = subprocess.Popen(["sleep", "5"], cwd=scene.truth.parent)
    try:
        with open(f"/proc/{child.pid}/cwd/{scene.truth.name}", "rb") as file:
            return file.read()
    finally:
        child.kill()


def link_to_it(scene):
    os.link(scene.truth, "innocent")
    with open("innocent", "rb") as file:
        return file.read()


def symbolic_link_to_its_folder(scene):
    os.symlink(scene.truth.parent, "innocent")
    with open("innocent/truth.parquet", "rb") as file:
        return file.read()


def changed_directory(scene):
    os.chdir(scene.truth.parent)
    with open(scene.truth.name, "rb") as file:
        return file.read()


def opened_by_number(scene):
    """A path that names no file, only a descriptor that something else opened."""
    descriptor = ctypes.CDLL(None).open(str(scene.truth).encode(), os.O_RDONLY)
    with open(f"/proc/self/fd/{descriptor}", "rb") as file:
        return file.read()


def asked_of_a_thread(scene):
    import threading

    found = []
    thread = threading.Thread(target=lambda: found.append(scene.truth.read_bytes()))
    thread.start()
    thread.join()
    return found[0]
