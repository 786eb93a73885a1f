"""A rank of mpiexec that Ctrl-C interrupts while mpi4py is imported, right after MPI has begun."""

import importlib.util
import os
import signal
import sys

import numpy as np

import tinynet as tn


class Interrupting:
    """A finder of modules that interrupts the import of one."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "mpi4py.MPI":
            return None
        sys.meta_path.remove(Interrupting)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_interrupt(module):
            execute(module)
            signal.raise_signal(signal.SIGINT)

        spec.loader.exec_module = execute_and_interrupt
        return spec


if "1" in (os.environ.get("OMPI_COMM_WORLD_RANK"), os.environ.get("PMI_RANK")):
    sys.meta_path.insert(0, Interrupting)
ranks = tn.parallel.MPI()
ranks.sum(np.ones(3))
