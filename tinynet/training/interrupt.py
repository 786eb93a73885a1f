"""Ctrl-C during a training."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tinynet.training.progress import write_line
from tinynet.training.run import INTERRUPTED, Run


class CtrlC:
    """Lets Ctrl-C end a run after the step under way; a second Ctrl-C ends it at once.

    A step, or the end of an epoch, that is interrupted is undone. While an optimizer of the library
    moves the parameters, the loop sets ``is_blocked``: a second Ctrl-C is then only noted in
    ``is_pending``, and the loop raises it after the step, where there is nothing to undo.
    ``is_handled`` says that no other signal can interrupt that either.

    Of several ranks, each ends the run as one Ctrl-C does on two other signals too. A batch
    scheduler sends SIGTERM before the time limit. mpiexec passes SIGUSR1 on to all ranks, and kills
    none of them, which after Ctrl-C it may do.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.within_step = False  # or half through the end of an epoch
        self.is_blocked = self.is_pending = False
        self.is_handled = False  # by this object, and not by somebody else
        self.presses = 0

    def _handle(self, *_: Any) -> None:
        self.presses += 1
        if self.presses == 1:
            self.run.interrupt()
        elif self.is_blocked:
            self.is_pending = True
        else:
            raise KeyboardInterrupt

    def _handle_end(self, *_: Any) -> None:
        self.run.interrupt()

    @contextlib.contextmanager
    def handled(self, undo: Callable[[], None]) -> Iterator[None]:
        """Handle Ctrl-C in the block, unless somebody else does; `undo` undoes a step."""
        import signal  # takes half a millisecond

        run = self.run
        in_main_thread = threading.current_thread() is threading.main_thread()
        is_free = in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        # The handler of another signal, such as that of a time limit, may raise an error anywhere.
        others = {*range(1, signal.NSIG)} - {signal.SIGINT}  # valid_signals() is slow
        self.is_handled = is_free and not any(map(callable, map(signal.getsignal, others)))
        handlers: dict[Any, Any] = {signal.SIGINT: self._handle} if is_free else {}
        if is_free and run.ranks is not None:
            ends = [getattr(signal, name, None) for name in ("SIGTERM", "SIGUSR1")]  # not Windows
            own = [
                number for number in ends if number and signal.getsignal(number) == signal.SIG_DFL
            ]
            handlers |= dict.fromkeys(own, self._handle_end)
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        except KeyboardInterrupt:  # from a callback, or by a handler of somebody else
            if self.within_step or run.stopped == INTERRUPTED or run.ranks is not None:
                raise
            run.interrupt()
        finally:
            if self.within_step:  # whatever ended it
                undo()
            for number, handler in before.items():
                signal.signal(number, handler)
        if run.why_over == INTERRUPTED and run.rank == 0:
            step = f"in epoch {run.epoch + 1}, after step {run.step}"
            place = step if run.step else f"after epoch {run.epoch}"
            message = f"Training was interrupted {place}. The history is complete up to there."
            write_line(sys.stderr, message)
