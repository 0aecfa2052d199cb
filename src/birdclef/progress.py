"""Progress on the screen: live on a terminal, a few plain lines elsewhere."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")

console = Console()
_PLAIN_LINES = 5  # of one task, where nothing can be redrawn


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[..., None], None, None]:
    """Show how far a task is; call the yielded function after each item with a few words on it.

    Items that differ in size are told by the function's second argument, in the unit of `total`.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    live = console.is_terminal
    done = 0.0
    with Progress(
        *columns, *times, TextColumn("{task.fields[note]}"), console=console, disable=not live
    ) as bars:
        task = bars.add_task(what, total=total, note="")

        def advance(note: str = "", amount: float = 1) -> None:
            nonlocal done
            before, done = done, done + amount
            bars.update(task, advance=amount, note=note)
            if not live and done * _PLAIN_LINES // total > before * _PLAIN_LINES // total:
                line = f"{what}: {done:.0f}/{total} {note}".rstrip()
                console.print(line, highlight=False, soft_wrap=True)

        yield advance


def track(items: Iterable[T], what: str, total: int) -> Generator[T, None, None]:
    """Pass items through, showing how far they are."""
    with progress(what, total) as advance:
        for item in items:
            yield item
            advance()
