"""A file replaced in one move: it is complete, or as it was before, whatever happens meanwhile.

The content goes to a temporary file in the same folder, which then takes the place of the file.
The temporary file is locked while it is being written. One that nobody locks is the orphan of a
writer that was killed: the next writer removes it.
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
except ImportError:  # not on this system: then an orphan cannot be recognized, and none is removed
    fcntl = None  # type: ignore[assignment]

# What locking and looking for orphans may raise: no locks here, not ours, or another was faster.
_HARMLESS = {
    errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF,
    errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.EAGAIN,
    errno.EWOULDBLOCK,
}  # fmt: skip
_CANNOT_SYNC = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EBADF}
_HINTS = {
    errno.ENOSPC: "Make room on the disk, or save elsewhere",
    errno.EDQUOT: "Make room within your quota, or save elsewhere",
    errno.EACCES: "Save to a folder that you may write to",
    errno.EPERM: "Save to a folder that you may write to",
    errno.EROFS: "Save to a folder that can be written to",
    errno.ENOENT: "Make the folder first, with os.makedirs({folder!r}, exist_ok=True)",
    errno.ENOTDIR: "Give a path whose folders are folders",
    errno.EISDIR: "Give the name of a file",
    errno.ENAMETOOLONG: "Give a shorter name",
}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], survives_power_cut: bool = True) -> Iterator[BinaryIO]:
    """Open a file to write, which takes the place of `path` when the block ends without an error.

    A link stays, and the file it points to is replaced; a file keeps its permissions. An OSError
    keeps its kind, and says what became of the earlier file and what to do. To survive a power cut
    takes milliseconds; without it, the file is still complete when the process is killed.
    """
    target = os.path.realpath(path)
    try:
        permissions = _permissions(target)
        _remove_orphans(target)
        temporary, file = _create(target, permissions)
        try:
            with file:
                has = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if permissions not in (None, has):  # the umask took some
                    os.chmod(temporary, permissions)
                yield file
                file.flush()
                if survives_power_cut:
                    os.fsync(file.fileno())
                if fcntl is None:
                    file.close()  # some systems move no open file; a lock is held until the move
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error counts; a later writer removes it
                os.unlink(temporary)
            raise
    except OSError as error:
        raise _refused(error, target, path) from error
    if survives_power_cut:
        _sync_folder(target)


def expect_replaceable(path: str | os.PathLike[str]) -> None:
    """Raise the error that `replacing` would raise at once, and leave everything as it is."""
    target = os.path.realpath(path)
    try:
        temporary, file = _create(target, _permissions(target))
        file.close()
        os.unlink(temporary)
    except OSError as error:
        raise _refused(error, target, path) from error


def _refused(error: OSError, target: str, path: str | os.PathLike[str]) -> OSError:
    """Return an error of the same kind that says what became of the file, and what to do."""
    outcome = "The earlier file is as it was" if os.path.isfile(target) else "No file was made"
    hint = _HINTS.get(error.errno or 0, "Save elsewhere").format(folder=os.path.dirname(target))
    return _explained(error, f"{outcome}. {hint}", path)


def _explained(error: OSError, more: str, path: str | os.PathLike[str]) -> OSError:
    """Return an error of the same kind that says more; OSError finds its kind by the number."""
    return OSError(error.errno, f"{error.strerror or error}. {more}", os.fspath(path))


def _permissions(target: str) -> int | None:
    """Return the permissions of the file that is there, or None; nothing else can be replaced."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):  # to put a file in the place of /dev/null would harm everybody
        raise OSError(errno.EINVAL, "It is not a regular file")
    return stat.S_IMODE(mode)


def _create(target: str, permissions: int | None) -> tuple[str, BinaryIO]:
    """Return the name of a new temporary file, and the file, locked."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o666 if permissions is None else permissions)

    while True:
        temporary = f"{target}.{os.urandom(8).hex()}.tmp"
        file = open(temporary, "xb", opener=opener)  # noqa: SIM115  the caller closes it
        if fcntl is not None:
            with _ignoring_harmless():
                _lock(file)
        if os.path.exists(temporary):
            return temporary, file
        file.close()  # another writer removed it before it was locked


def _lock(file: BinaryIO, how: int = 0) -> None:
    fcntl.flock(file.fileno(), fcntl.LOCK_EX | how)


def _remove_orphans(target: str) -> None:
    """Remove the temporary files of this target that nobody locks."""
    if fcntl is None:
        return
    folder, name = os.path.split(target)
    orphan = re.compile(re.escape(name) + r"\.[0-9a-f]{16}\.tmp")
    with _ignoring_harmless(), os.scandir(folder) as entries:  # writing shows if one may write
        for entry in entries:
            if orphan.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with _ignoring_harmless(), open(entry, "rb") as file:
                    _lock(file, fcntl.LOCK_NB)
                    os.unlink(entry)


@contextlib.contextmanager
def _ignoring_harmless() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _HARMLESS:
            raise


def _sync_folder(target: str) -> None:
    """Make the file's new place survive a power cut, where folders can be opened and synced."""
    try:
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            more = "The file is written, but may not survive a power cut. Save again"
            raise _explained(error, more, target) from error
