"""Training over MPI: as one process trains, whatever ends a rank, and only rank 0 writes."""

import json
import os
import random
import signal
import time

import numpy as np
import pytest
from mpi.launch import SECONDS, finish, needs_mpi, run, start

import tinynet as tn

pytestmark = needs_mpi
IN_EPOCH, STEPS, EVERY = 13, 8 * 13, 7  # steps of resumable.py


@pytest.mark.parametrize("size", [2, 4])
def test_as_one_process(size):
    """Parameters and history are those of one process, and the same bits on all ranks."""
    assert (0, "", "") == run(size, "equality.py")


# Runs that break off.


class Slow(tn.Callback):
    """Stands for the callback of the runs."""


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What the ranks have at the end of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("unbroken")
    assert (0, "", "") == run(2, "resumable.py", folder, STEPS)
    return results(folder)


def results(folder):
    """Return what each rank has written at its end."""
    return [json.loads(folder.joinpath(f"{rank}.json").read_text("utf-8")) for rank in range(2)]


def slow(folder, step):
    """Start or resume a run; return it, and the processes of its ranks, once steps are slow."""
    paths = [folder / f"slow{rank}" for rank in range(2)]
    for path in paths:
        path.unlink(missing_ok=True)
    job = start(2, "resumable.py", folder, step)
    latest = time.monotonic() + SECONDS
    while not all(path.exists() and path.read_text("utf-8") for path in paths):
        if job.poll() is not None or time.monotonic() > latest:
            pytest.fail(f"the run does not come to step {step}:\n{finish(job)}")
        time.sleep(0.01)
    return job, [int(path.read_text("utf-8")) for path in paths]


def assert_whole(folder):
    """Expect a model and a run in the checkpoint, which one process can read."""
    path = folder / "run.npz"
    assert np.isfinite(tn.load(path).values).all()
    copy = folder / "copy.npz"
    copy.write_bytes(path.read_bytes())
    X, Y = np.zeros((6, 101)), np.zeros((1, 101))
    with pytest.warns(tn.errors.TrainingWarning):  # the run began on two ranks
        tn.resume(copy, X, Y, epochs=1, callbacks=Slow())


def assert_resumes(folder, unbroken):
    """Expect from the same command the bits of the run that was not interrupted."""
    code, _, errors = run(2, "resumable.py", folder, STEPS)
    assert (0, "") == (code, errors)
    assert unbroken == results(folder)


def test_a_rank_is_killed(tmp_path, unbroken):
    """The job ends, its file is whole, and the same command goes on from it to the same bits."""
    moments = random.Random(5)
    for rank, step in ((1, moments.randint(1, 40)), (0, moments.randint(50, 75))):
        job, processes = slow(tmp_path, step)
        time.sleep(moments.uniform(0, 0.1))
        os.kill(processes[rank], signal.SIGKILL)
        code, _, _ = finish(job)
        assert code != 0, f"rank {rank} in step {step}"
        assert_whole(tmp_path)
    assert_resumes(tmp_path, unbroken)


SIGNALS = [  # each comes to the run that resumes the one before
    (signal.SIGINT, 1, 10),
    (signal.SIGTERM, 0, 25),
    (signal.SIGUSR1, None, 40),
    (signal.SIGINT, 0, 60),
]


def test_signals_that_interrupt(tmp_path, unbroken):
    """All ranks end after the same step, write a whole file, and go on from it to the same bits."""
    between_checkpoints = []
    for number, rank, step in SIGNALS:
        job, processes = slow(tmp_path, step)
        os.kill(job.pid if rank is None else processes[rank], number)
        code, _, errors = finish(job)
        assert code == 0, f"{number.name} to {rank}: {errors}"
        assert errors.count("Training was interrupted") == 1, f"{number.name} to {rank}: {errors}"
        first, other = results(tmp_path)
        assert first == other
        assert first["stopped"] == "interrupted"
        taken = IN_EPOCH * first["place"][0] + first["place"][1]
        between_checkpoints.append(first["place"][1] not in (0, EVERY, IN_EPOCH))
        assert step <= taken < STEPS, f"{number.name} to {rank}: after step {taken}"
        assert_whole(tmp_path)
    assert any(between_checkpoints), "no vote in a step"
    assert_resumes(tmp_path, unbroken)


def test_ctrl_c_in_a_terminal(tmp_path, unbroken):
    """mpiexec may kill the ranks, or leave them time: the file is whole, and the run goes on."""
    job, _ = slow(tmp_path, 20)
    job.send_signal(signal.SIGINT)
    finish(job)
    assert_whole(tmp_path)
    assert_resumes(tmp_path, unbroken)


def test_ctrl_c_while_mpi_begins():
    """It ends all ranks, though mpi4py is not yet imported."""
    code, _, errors = run(2, "interrupted.py")
    assert code != 0
    assert "KeyboardInterrupt" in errors


# Errors.


def test_an_error_in_one_callback(tmp_path):
    """All ranks end, the error and its rank are named, and the checkpoint is whole."""
    code, _, errors = run(2, "resumable.py", tmp_path, 20, "fail")
    assert code != 0
    assert "LookupError: one callback fails" in errors
    assert "Rank 1 of 2 failed with LookupError" in errors
    assert_whole(tmp_path)
    assert not list(tmp_path.glob("*.json")), "a rank came to its end"


def test_errors_of_all_ranks(tmp_path):
    """Each gets what all refuse as an error that it may catch, says why, and trains again."""
    assert (0, "", "") == run(2, "refused.py", "caught", tmp_path)


def test_a_file_is_missing_on_one_rank(tmp_path):
    """An error before the training ends all ranks too."""
    np.save(tmp_path / "X0.npy", np.zeros((6, 101)))
    code, _, errors = run(2, "refused.py", "file", tmp_path)
    assert code != 0
    assert "FileNotFoundError" in errors
    assert "X1.npy" in errors


def test_only_rank_0_writes(tmp_path):
    """Files, progress and warnings come once."""
    code, output, errors = run(2, "writing.py", tmp_path)
    assert code == 0, errors
    assert output.count("epoch 1/2") == output.count("epoch 2/2") == 1
    assert errors.count("TrainingWarning") == 1, errors
    assert ["best.npz", "log.csv", "run.npz"] == sorted(os.listdir(tmp_path / "0"))
    assert [] == os.listdir(tmp_path / "1")
