"""The one exception for what a user can mend."""


class InputError(Exception):
    """A mistake in the input or the arguments.

    The message is one line: what is wrong, in which file, and what to do. Commands print it
    without a traceback and exit with status 2.
    """
