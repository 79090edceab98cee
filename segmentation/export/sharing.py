"""What several exports of one model have in common is made once, for the first that needs it.

Only within the block of `shared`, in which the model must not change: a graph holds its weights.
"""

import contextlib
import functools
from contextvars import ContextVar

_made = ContextVar("made", default=None)


@contextlib.contextmanager
def shared():
    """Let the exports of this block share what `once` functions return."""
    token = _made.set({})
    try:
        yield
    finally:
        _made.reset(token)


def once(function):
    """Make a function work once for the same arguments within the block of `shared`.

    Args:
        function: of hashable arguments; a model is one, and the same only as itself.
    """

    @functools.wraps(function)
    def made_once(*arguments):
        made = _made.get()
        if made is None:
            return function(*arguments)
        key = function, *arguments
        if key not in made:
            made[key] = function(*arguments)
        return made[key]

    return made_once
