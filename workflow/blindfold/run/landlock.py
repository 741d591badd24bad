"""Start a command behind Landlock: an allow-list of files, kept by the kernel, and no sockets.

``python -I landlock.py SPEC COMMAND...`` restricts itself and becomes the command; the restriction
holds for all that the command starts and cannot be lifted. It needs the standard library alone and
no privilege, and works from Linux 5.13 on. What older kernels cannot restrict is left open:
files opened by their descriptor, abstract sockets and signals below ABI 6. SPEC is JSON: the
arguments of `restrict` by name.

See https://docs.kernel.org/userspace-api/landlock.html. A filter of system calls closes what
Landlock leaves: sockets of every family, and io_uring, which would get around the filter.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import stat
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every processor
_VERSION, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVS, _SET_SECCOMP, _SECCOMP_FILTER = 38, 22, 2

_FILE_RIGHTS = {"execute": 1 << 0, "write": 1 << 1, "read": 1 << 2, "truncate": 1 << 14,
                "ioctl": 1 << 15}  # fmt: skip
_READ_FILE = _FILE_RIGHTS["execute"] | _FILE_RIGHTS["read"]
_LIST = 1 << 3
_READ_FOLDER = _READ_FILE | _LIST
_ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET, _SCOPES = 0b11, 0b11
"""TCP bind and connect, from ABI 4 on; abstract sockets and signals, from 6 on."""

_SYSCALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Audit number of a processor, and its number of ``socket``; io_uring_setup is 425 on both."""
_IO_URING = 425
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000

_LIBC = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the kernel's version of Landlock; 0 where there is none."""
    return max(0, int(_LIBC.syscall(_CREATE, None, 0, _VERSION)))


def restrict(
    readable: list[str], listed: list[str], writable: list[str], devices: list[str]
) -> None:
    """
    Restrict this process and all that it starts, for good.

    Parameters
    ----------
    readable
        Files and folders that may be read and executed; what does not exist is left out.
    listed
        Folders whose names may be listed, with those of all folders in them.
    writable
        Folders in which anything may be done.
    devices
        Files that may be read and written, such as ``/dev/null``.

    Raises
    ------
    OSError
        Where the kernel refuses.
    """
    version = abi()
    rights = max(value for since, value in _ALL_BY_ABI.items() if since <= max(version, 1))
    net, scopes = _NET * (version >= 4), _SCOPES * (version >= 6)
    fields = struct.pack("=QQQ", rights, net, scopes)[
        : 8 if version < 4 else 16 if version < 6 else 24
    ]
    ruleset = _checked(_LIBC.syscall(_CREATE, fields, len(fields), 0))
    file_rights = rights & sum(_FILE_RIGHTS.values())
    kinds = ((readable, _READ_FOLDER), (listed, _LIST), (writable, rights), (devices, file_rights))
    for paths, allowed in kinds:
        for path in paths:
            _allow(ruleset, path, allowed, file_rights)
    _checked(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_LIBC.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, allowed: int, file_rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        allowed &= file_rights
    rule = struct.pack("=Qi", allowed, descriptor)
    _checked(_LIBC.syscall(_ADD, ruleset, _PATH_BENEATH, rule, 0))
    os.close(descriptor)


def close_sockets() -> None:
    """
    Forbid this process and all that it starts to make a socket.

    Raises
    ------
    OSError
        Where the kernel refuses, or the processor is not known here.
    """
    if platform.machine() not in _SYSCALLS:
        raise OSError(f"no filter of system calls is known for {platform.machine()}")
    audit, socket = _SYSCALLS[platform.machine()]
    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4), (equal, 1, 0, audit), (end, 0, 0, _KILL),
        (load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (end, 0, 0, _KILL),
        (equal, 1, 0, socket), (equal, 0, 1, _IO_URING), (end, 0, 0, _EPERM), (end, 0, 0, _ALLOW),
    ]  # fmt: skip
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    filters = struct.pack("@HP", len(program), ctypes.addressof(code))
    _checked(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_LIBC.prctl(_SET_SECCOMP, _SECCOMP_FILTER, filters, 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main(words: list[str]) -> None:
    """Restrict this process, then become the command."""
    restrict(**json.loads(words[0]))
    close_sockets()
    os.execv(words[1], words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
