"""How a program of this project ends when something is wrong that a user can mend."""

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def plain_errors() -> Generator[None, None, None]:
    """End with the message alone, where it says enough; anything else keeps its traceback.

    Errors that this project defines say what is wrong and what to do; those of the system name
    the file.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on from here") from None
    except Exception as error:
        own = type(error).__module__.startswith("birdclef.")
        if own or isinstance(error, OSError):
            raise SystemExit(str(error)) from None
        raise
