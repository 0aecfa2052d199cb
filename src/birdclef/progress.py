"""Progress on the screen: live on a terminal, a few plain lines elsewhere."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta
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
from rich.table import Column

T = TypeVar("T")

console = Console()
_PLAIN_LINES = 5  # of one task, where nothing can be redrawn
_SPEED_OVER_S = 600  # what the time left is judged by: long, so that it holds pauses too
_BAR = 20  # characters
_WIDE = 120  # columns of a terminal; where there are fewer the words matter more than the bar


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[..., None], None, None]:
    """Show how far a task is and the time left; call the yielded function after each item.

    It takes a few words on the item, its size in the unit of `total`, and whether it is worth no
    plain line: `advance(note="", amount=1, passing=False)`.
    """
    wide = console.width >= _WIDE
    more = (BarColumn(_BAR), MofNCompleteColumn(), TimeElapsedColumn()) if wide else ()
    live = console.is_terminal
    done = told = 0.0
    with Progress(
        TextColumn("{task.description}"),
        *more,
        TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=len("0:00:00"))),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not live,
        speed_estimate_period=_SPEED_OVER_S,
    ) as bars:
        task = bars.add_task(what, total=total, note="")

        def advance(note: str = "", amount: float = 1, passing: bool = False) -> None:
            nonlocal done, told
            done += amount
            bars.update(task, advance=amount, note=note)
            if live or passing or done * _PLAIN_LINES // total == told * _PLAIN_LINES // total:
                return
            told = done
            left = bars.tasks[0].time_remaining
            until = "" if not left else f" ({timedelta(seconds=round(left))} left)"
            line = f"{what}: {done:.0f}/{total} {note}".rstrip() + until
            console.print(line, highlight=False, soft_wrap=True)

        yield advance


def track(items: Iterable[T], what: str, total: int) -> Generator[T, None, None]:
    """Pass items through, showing how far they are."""
    with progress(what, total) as advance:
        for item in items:
            yield item
            advance()
