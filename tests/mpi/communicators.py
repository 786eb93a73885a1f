"""Check on the ranks of mpiexec what a communicator of mpi4py may be."""

import numpy as np
import pytest
from messages import raises
from mpi4py import MPI

import tinynet as tn

world = MPI.COMM_WORLD
default = tn.parallel.MPI()
assert f"<MPI: rank {world.rank} of {world.size}>" == repr(default)
assert (world.rank, world.size) == (default.rank, default.size)

for wrong, words in {
    4: ("comm is 4", "mpiexec -n 4"),
    "world": ("comm is 'world'", "COMM_WORLD"),
    MPI: ("comm is <module 'mpi4py.MPI'", "COMM_WORLD"),
}.items():
    with raises(TypeError, *words, "Leave it out"):
        tn.parallel.MPI(wrong)

with raises(ValueError, "comm is MPI.COMM_NULL", "not in it"):
    tn.parallel.MPI(MPI.COMM_NULL)

if world.size == 2:
    apart = world.Split(world.rank)
    between = apart.Create_intercomm(0, world, 1 - world.rank)
    with raises(ValueError, "intercommunicator", "comm.Merge()"):
        tn.parallel.MPI(between)
    merged = tn.parallel.MPI(between.Merge())
    assert 2 == merged.size
    assert 1 == tn.parallel.MPI(apart).size
    vector = np.ones(3)
    tn.parallel.MPI(apart).sum(vector)
    assert [1, 1, 1] == vector.tolist()
    merged.sum(vector)
    assert [2, 2, 2] == vector.tolist()

# An object of MPI takes none of the few thousand communicators that a library of MPI has.
for _ in range(20_000):
    communicator = tn.parallel.MPI()
vector = np.ones(3)
communicator.sum(vector)
assert [world.size] * 3 == vector.tolist()
with pytest.raises(MPI.Exception):  # an error of MPI is an error of Python
    world.Bcast(vector, root=99)
