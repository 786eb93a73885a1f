"""Many processes that train one model, on one machine or on many, by MPI.

Install ``pip install "tinynet[mpi]"``. On a cluster install ``mpi4py`` alone, which then uses the
MPI of the cluster. Each process runs the same program. `MPI` needs the library ``mpi4py``, which is
imported when the first object is made.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinynet._support.communicator import Communicator, SharedBatch
from tinynet._support.later import later as _later
from tinynet.data.stream import Sharded

if _TYPE_CHECKING:
    from tinynet.parallel.mpi import MPI
    from tinynet.parallel.threads import Threads

__all__ = ["MPI", "Communicator", "Sharded", "SharedBatch", "Threads"]

_BY_MODULE = {"mpi": ["MPI"], "threads": ["Threads"]}

__getattr__, __dir__ = _later(__name__, __all__, **_BY_MODULE)
