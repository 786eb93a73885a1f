"""Programs that mpiexec starts, which end in bounded time."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers import TESTED

FOLDER = Path(__file__).parent
SECONDS = 60  # until a program counts as one that hangs; most take 2
# The mpiexec beside Python comes first: it belongs to the MPI that mpi4py loads.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
MPIEXEC = shutil.which("mpiexec", path=PATH)
# Open MPI refuses to run as root, and to start more processes than there are cores.
SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
ENVIRONMENT = TESTED | SETTINGS | {"PATH": PATH}
ENVIRONMENT["PYTHONPATH"] += f"{os.pathsep}{FOLDER.parent}"

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or find_spec("mpi4py") is None, reason="the extra mpi is not installed"
)


def start(ranks, script, *arguments, mpi4py=True, **how):
    """Start a program of this folder on so many ranks, in a group of processes of its own.

    Without `mpi4py`, an error that reaches Python's end does not end the other ranks.
    """
    program = [*(["-m", "mpi4py"] if mpi4py else []), FOLDER / script, *arguments]
    command = [MPIEXEC, "-n", ranks, sys.executable, *program]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    options = {"env": ENVIRONMENT, "text": True, "start_new_session": True}
    return subprocess.Popen(list(map(str, command)), **(streams | options | how))


def finish(job, seconds=SECONDS):
    """Wait for a program, and return its exit code, its output and its errors."""
    try:
        output, errors = job.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        job.kill()  # its ranks end then, even those that handle SIGTERM
        output, errors = job.communicate(timeout=seconds)
        pytest.fail(f"the program hangs:\n{output}\n{errors}")
    return job.returncode, output, errors


def run(ranks, script, *arguments, seconds=SECONDS, **how):
    """Run a program of this folder, and return its exit code, its output and its errors."""
    return finish(start(ranks, script, *arguments, **how), seconds)
