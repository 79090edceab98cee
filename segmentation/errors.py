"""Exceptions that end a command with a one-line message instead of a traceback."""


class InputError(Exception):
    """A mistake in the input or the arguments.

    The message is one line: what is wrong, in which file, and how to fix it. Commands print it
    without a traceback and exit with `status`.
    """

    status = 2


class TryAgainError(Exception):
    """A failure from outside that may pass: another worker of a cluster is lost.

    The message is one line. Commands print it and exit with `status`, EX_TEMPFAIL of sysexits.h, by
    which a scheduler knows that starting again makes sense.
    """

    status = 75


class ExportError(Exception):
    """An export that fails, cannot be run, or does not match its model.

    The message is one line. Commands print it, leave no file behind and exit with status 1.
    """


class WorkerError(Exception):
    """A fault of ours on another machine, whose traceback is there.

    The message is one line. Commands print it and exit with `status`.
    """

    status = 1


def reason(error):
    """Return the first line of an exception's message, or its type if it has no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
