"""The exceptions that end a command with one line in place of a traceback."""


class InputError(Exception):
    """A mistake in the input or the arguments.

    The message is one line: what is wrong, in which file, and what to do. Commands print it
    without a traceback and exit with status 2.
    """


class ExportError(Exception):
    """A conversion that cannot be made, or cannot be run, or does not give what the model gives.

    The message is one line. Commands print it, leave no file, and exit with status 1.
    """


def reason(error):
    """Return the first line of what an exception of another library says, or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
