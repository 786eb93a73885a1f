"""A file written in one move: it is complete, or as it was before, whatever happens meanwhile.

What is written goes to a temporary file in the same folder, which then takes the place of the
file. While it is being written it is locked: one that nobody holds is the orphan of a writer
that was killed, and the next writer removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not on this system: then nobody can tell an orphan, and none is removed
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}
_NOT_MINE = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EAGAIN,
    errno.EWOULDBLOCK,
}
_HINTS = {
    errno.ENOSPC: "make room on the disk, or save elsewhere",
    errno.EDQUOT: "make room within your quota, or save elsewhere",
    errno.EACCES: "save to a folder that you may write to",
    errno.EPERM: "save to a folder that you may write to",
    errno.EROFS: "save to a folder that can be written to",
    errno.ENOENT: "make the folder first, with os.makedirs",
    errno.ENOTDIR: "give a path whose folders are folders",
    errno.EISDIR: "give the name of a file",
    errno.ENAMETOOLONG: "give a shorter name",
}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write, which takes the place of `path` where the block ends without an error.

    A link stays, and what it points to is replaced; a file keeps its permissions. An OSError comes
    as the same kind of error, and says what became of the earlier file and what to do.
    """
    target = os.path.realpath(path)
    try:
        permissions = _permissions(target)
        _sweep(target)
        temporary, file = _created(target, permissions)
        try:
            with file:
                if permissions not in (
                    None,
                    stat.S_IMODE(os.fstat(file.fileno()).st_mode),
                ):  # umask took some
                    os.chmod(temporary, permissions)
                yield file
                file.flush()
                os.fsync(file.fileno())
                if fcntl is None:
                    file.close()  # some systems move no open file; where there are locks, it is held until moved
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(
                OSError
            ):  # what went wrong first is what is told, and a later writer sweeps
                os.unlink(temporary)
            raise
    except OSError as error:
        kept = "the earlier file is as it was" if os.path.isfile(target) else "no file was made"
        raise _told(
            error, f"{kept}; {_HINTS.get(error.errno or 0, 'save elsewhere')}", path
        ) from error
    _sync_folder(target)


def _told(error: OSError, more: str, path: str | os.PathLike[str]) -> OSError:
    """Return an error of the same kind that says more; OSError finds its kind by the number."""
    return OSError(error.errno, f"{error.strerror or error}; {more}", os.fspath(path))


def _permissions(target: str) -> int | None:
    """Return the permissions of the file that is there, or None; anything but a file cannot be replaced."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):  # to put a file in the place of /dev/null would harm everybody
        raise OSError(errno.EINVAL, "It is no regular file")
    return stat.S_IMODE(mode)


def _created(target: str, permissions: int | None) -> tuple[str, BinaryIO]:
    """Return the name of a new temporary file, and the file, locked."""

    def opener(name: str, flags: int) -> int:
        return os.open(
            name, flags, 0o666 if permissions is None else permissions
        )  # less what the umask takes

    while True:
        temporary = f"{target}.{os.urandom(8).hex()}.tmp"
        file = open(temporary, "xb", opener=opener)  # noqa: SIM115  who asked for it closes it
        with _passing(_NO_LOCKS):
            _lock(file)
        if os.path.exists(temporary):
            return temporary, file
        file.close()  # it was swept before it was locked


def _lock(file: BinaryIO, how: int = 0) -> None:
    if fcntl is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    fcntl.flock(file.fileno(), fcntl.LOCK_EX | how)


def _sweep(target: str) -> None:
    """Remove the temporary files of this target that nobody holds."""
    folder, name = os.path.split(target)
    named = re.compile(re.escape(name) + r"\.[0-9a-f]{16}\.tmp")
    found: list[os.DirEntry[str]] = []
    with (
        _passing(_NOT_MINE),
        os.scandir(folder) as entries,
    ):  # whether one may write there is told by writing
        found = [
            entry
            for entry in entries
            if named.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]
    for orphan in found:
        with _passing(_NOT_MINE | _NO_LOCKS), open(orphan, "rb") as file:
            _lock(file, fcntl.LOCK_NB if fcntl else 0)
            os.unlink(orphan)


def _sync_folder(target: str) -> None:
    """See to it that the file's new place survives a power cut, where folders can be opened and synced."""
    with _passing({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EBADF}):
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:
            raise _told(
                error, "the file is written, but may not survive a power cut; save again", target
            ) from error
        finally:
            os.close(folder)


@contextlib.contextmanager
def _passing(numbers: set[int]) -> Iterator[None]:
    """Go on after an OSError with one of these numbers."""
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise
