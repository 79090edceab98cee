"""A process that does one thing for one file, and may end without taking this one with it."""

import multiprocessing
from pathlib import Path

from segmentation.errors import InputError


class Child:
    """The process of a file.

    Attributes:
        path: of the file.
    """

    def __init__(self, function, path, threads):
        """Start the process, which calls `function(connection, path, threads)`.

        Args:
            function: of a module. It sends what `answer` returns through the connection, one end of
                a `multiprocessing.Pipe`.
            path: of the file.
            threads: passed on.
        """
        self.path = Path(path)
        # Not forked: the runtimes' threads would not survive that.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=function, args=(theirs, self.path, threads), daemon=True
        )
        self._process.start()
        theirs.close()  # so that the end of the process ends the waiting

    def ask(self, question):
        """Send a question, and return the answer to it as `answer` does."""
        try:
            self._connection.send(question)
        except BrokenPipeError:
            raise self._ended() from None
        return self.answer()

    def answer(self):
        """Return what the process sends next.

        Raises:
            InputError: if that is what it sends, or if it ended.
        """
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended() from None
        if isinstance(answer, InputError):
            raise answer
        return answer

    def _ended(self):
        self._process.join()
        status = self._process.exitcode
        return InputError(
            f"{self.path}: the process that ran it ended with status {status}"
            f"{' (no memory left?)' if status == -9 else ''}; leave this file out"
        )

    def close(self):
        """End the process."""
        self._process.terminate()
        self._process.join()
