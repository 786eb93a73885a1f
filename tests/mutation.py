"""What lets mutmut's copies of the methods run as the methods do; a plugin of pytest, for `mutmut run` alone.

mutmut puts in each method's place a function of ``*args, **kwargs`` that calls the method or a mutated copy. The
package looks at a method's arguments to see whether it takes ``out``, and would otherwise give it another one:
what a method does with its own ``out`` would never be run.
"""

import functools
import inspect

from mutmut.mutation import trampoline

_wrap_in_trampoline = trampoline.wrap_in_trampoline


def naming_out(mutants, is_classmethod=False):
    """Return mutmut's decorator, whose function has an argument called ``out`` where the decorated one has it."""
    decorate = _wrap_in_trampoline(mutants, is_classmethod)

    def decorated(function):
        chosen = decorate(function)
        if "out" not in inspect.signature(function).parameters:
            return chosen

        @functools.wraps(function)
        def with_out(*args, out=None, **kwargs):
            return chosen(*args, **kwargs) if out is None else chosen(*args, out=out, **kwargs)

        return with_out

    return decorated


trampoline.wrap_in_trampoline = naming_out
