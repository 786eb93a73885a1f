"""Times of several functions, side by side."""

import statistics
import time

# What a process needs in its environment so that NumPy's BLAS has one thread.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def medians(functions, rounds, least=0.02, pause=0.03):
    """Return the median time of one call of each function, in seconds.

    A round goes through all functions in turn, so that whatever the machine does meanwhile
    happens to all of them. Each is called for at least `least` seconds, after a pause: the
    worker threads of one library go on spinning for a while when its work is done (OpenBLAS's for
    some 25 ms), and would take a core from the next. A function that takes many steps a call says
    so in ``count``.
    """
    times = {name: [] for name in functions}
    calls = {name: _calls(function, least) for name, function in functions.items()}
    for _ in range(rounds):
        for name, function in functions.items():
            time.sleep(pause)
            times[name].append(_time(function, calls[name]))
    return {
        name: statistics.median(held) / getattr(functions[name], "count", 1)
        for name, held in times.items()
    }


def _time(function, calls):
    function()  # its own arrays and threads come back
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def _calls(function, least):
    function()
    once = min(_time(function, 1) for _ in range(3))
    return max(1, round(least / once))
