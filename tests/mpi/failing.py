"""Ranks of mpiexec that fail: all, some, those of a group, or one that Ctrl-C interrupts twice."""

import _thread
import sys
import threading
import time

import numpy as np
from mpi4py import MPI

import tinynet as tn
from tinynet.parallel import mpi

mpi.GRACE = 1.5  # seconds, so that the tests are quick
ranks, how = tn.parallel.MPI(), sys.argv[1]

if how == "all":
    for _ in range(3):
        time.sleep(0.3 * ranks.rank)
        ranks.fail(ValueError("all refuse this"))
        vector = np.ones(3)
        ranks.sum(vector)
        assert [ranks.size] * 3 == vector.tolist()

elif how == "some":
    if ranks.rank > 0:
        ranks.fail(KeyError("some refuse this"))
    ranks.sum(np.ones(3))

elif how == "group":
    part = tn.parallel.MPI(MPI.COMM_WORLD.Split(ranks.rank // 2))
    if ranks.rank == 3:
        part.fail(KeyError("one refuses this"))
    while True:
        part.sum(np.ones(3))

elif how == "interrupted":
    if ranks.rank == 1:
        threading.Timer(0.5, _thread.interrupt_main).start()
        ranks.fail(KeyError("one refuses this"))
    ranks.sum(np.ones(3))
