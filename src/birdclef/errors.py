"""How the programs of this project end on an error that the user can fix."""

from collections.abc import Generator
from contextlib import contextmanager

from birdclef.common.text import printable


@contextmanager
def plain_errors() -> Generator[None, None, None]:
    """End the program with the error's message if it is enough; other errors keep their traceback.

    The message of an error that this project defines says what is wrong and what to do; the message
    of an operating system error names the file.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit("stopped; run the same command again to continue") from None
    except Exception as error:
        own = type(error).__module__.startswith("birdclef.")
        if own or isinstance(error, OSError):
            lines = str(error).splitlines()  # names of files may hold control characters
            raise SystemExit("\n".join(map(printable, lines))) from None
        raise
