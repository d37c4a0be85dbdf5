"""What is said goes to standard output, as long as somebody reads it."""

import logging
import os
import sys
from typing import TextIO


class Console(logging.StreamHandler[TextIO]):
    """Goes silent when its reader has gone, as ``| head`` does: a run that nobody watches is still a run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """Nothing is said of a closed pipe, now and when the process ends."""
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            return super().handleError(record)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)
