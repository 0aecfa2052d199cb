"""Progress on the screen: live on a terminal, a few plain lines elsewhere."""

import math
import time
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


@contextmanager
def timed(what: str, total: int, unit: str) -> Generator[Callable[[int], None], None, None]:
    """Show how far a task is, and at the end its rate; call the yielded function with each count.

    Args:
        what: who does it, such as "3 teachers".
        total: how many there are.
        unit: the plural of what is counted.
    """
    start = time.monotonic()
    with progress(what, total) as advance:
        yield lambda count: advance(unit, count)
    rate = total / (time.monotonic() - start)
    console.print(f"{what} on {total} {unit}: {rate:.0f} {unit} per second", highlight=False)


class TrainingLine:
    """What the screen says of one training, the most important first: 80 columns may be all."""

    def __init__(
        self, name: str, epochs: int, steps_per_epoch: int, advance: Callable[..., None]
    ) -> None:
        self.name, self.epochs, self.steps_per_epoch = name, epochs, steps_per_epoch
        self.advance, self.score, self.running = advance, "", False
        self._start_epoch()

    def _start_epoch(self) -> None:
        self.images, self.started, self.rate = 0, time.monotonic(), 0.0

    def after_step(self, epoch: int, images: int, loss: float) -> None:
        """Show one step of an epoch, counted from 1."""
        steps, finished = 1, epoch - 1
        if finished and not self.running:  # the first step after a kill brings the epochs before
            console.print(f"{self.name}: goes on after epoch {finished}", highlight=False)
            steps += finished * self.steps_per_epoch
        self.running = True
        self.images += images
        self.rate = self.images / (time.monotonic() - self.started)
        self.advance(self._words(epoch, loss), steps, passing=True)

    def after_epoch(self, epoch: int, loss: float, macro_roc_auc: float) -> None:
        """Show a finished epoch; a score of NaN is not shown."""
        if not math.isnan(macro_roc_auc):
            self.score = f" ROC-AUC {macro_roc_auc:.3f}"
        self.advance(self._words(epoch, loss), 0)
        self._start_epoch()

    def _words(self, epoch: int, loss: float) -> str:
        of = self.epochs
        return f"loss {loss:.4f}{self.score} {self.rate:.0f} images/s epoch {epoch}/{of}"


def track(items: Iterable[T], what: str, total: int) -> Generator[T, None, None]:
    """Pass items through, showing how far they are."""
    with progress(what, total) as advance:
        for item in items:
            yield item
            advance()
