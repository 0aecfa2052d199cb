"""Progress on the screen: a live line on a terminal, a few plain lines elsewhere."""

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
_PLAIN_LINES = 5  # per task, where lines cannot be redrawn
_SPEED_WINDOW_S = 600  # window for estimating the time left; long enough to include pauses
_BAR = 20  # width of the bar in characters
_WIDE = 120  # columns; on a narrower terminal the words matter more than the bar


@contextmanager
def progress(name: str, total: int) -> Generator[Callable[..., None], None, None]:
    """Show how far a task is and the time left; call the yielded function after each item.

    The function is `advance(note="", amount=1, live_only=False)`: a few words about the item, its
    size in the unit of `total`, and whether to print no plain line for it.
    """
    wide = console.width >= _WIDE
    wide_columns = (BarColumn(_BAR), MofNCompleteColumn(), TimeElapsedColumn()) if wide else ()
    live = console.is_terminal
    done = printed = 0.0
    with Progress(
        TextColumn("{task.description}"),
        *wide_columns,
        TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=len("0:00:00"))),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not live,
        speed_estimate_period=_SPEED_WINDOW_S,
    ) as bars:
        task = bars.add_task(name, total=total, note="")

        def advance(note: str = "", amount: float = 1, live_only: bool = False) -> None:
            nonlocal done, printed
            done += amount
            bars.update(task, advance=amount, note=note)
            if live or live_only or done * _PLAIN_LINES // total == printed * _PLAIN_LINES // total:
                return
            printed = done
            left_s = bars.tasks[0].time_remaining
            time_left = "" if not left_s else f" ({timedelta(seconds=round(left_s))} left)"
            line = f"{name}: {done:.0f}/{total} {note}".rstrip() + time_left
            console.print(line, highlight=False, soft_wrap=True)

        yield advance


@contextmanager
def timed(name: str, total: int, unit: str) -> Generator[Callable[[int], None], None, None]:
    """Show how far a task is and finally its rate; call the yielded function with each new count.

    Args:
        name: what does the work, such as "3 teachers".
        total: number of items.
        unit: plural noun for the items.
    """
    start = time.monotonic()
    with progress(name, total) as advance:
        yield lambda count: advance(unit, count)
    rate = total / (time.monotonic() - start)
    console.print(f"{name} on {total} {unit}: {rate:.0f} {unit} per second", highlight=False)


class TrainingLine:
    """Progress line of one training run; the most important values come first, for 80 columns."""

    def __init__(
        self, name: str, epochs: int, steps_per_epoch: int, advance: Callable[..., None]
    ) -> None:
        self.name, self.epochs, self.steps_per_epoch = name, epochs, steps_per_epoch
        self.advance, self.score, self.running = advance, "", False
        self._start_epoch()

    def _start_epoch(self) -> None:
        self.images, self.started, self.rate = 0, time.monotonic(), 0.0

    def after_step(self, epoch: int, images: int, loss: float) -> None:
        """Show one step of an epoch; epochs are counted from 1."""
        steps, finished = 1, epoch - 1
        if finished and not self.running:  # a resumed run: count the epochs before it as well
            console.print(f"{self.name}: resumes after epoch {finished}", highlight=False)
            steps += finished * self.steps_per_epoch
        self.running = True
        self.images += images
        self.rate = self.images / (time.monotonic() - self.started)
        self.advance(self._text(epoch, loss), steps, live_only=True)

    def after_epoch(self, epoch: int, loss: float, macro_roc_auc: float) -> None:
        """Show a finished epoch and its score, unless the score is NaN."""
        if not math.isnan(macro_roc_auc):
            self.score = f" ROC-AUC {macro_roc_auc:.3f}"
        self.advance(self._text(epoch, loss), 0)
        self._start_epoch()

    def _text(self, epoch: int, loss: float) -> str:
        rate = f"{self.rate:.0f} images/s"
        return f"loss {loss:.4f}{self.score} {rate} epoch {epoch}/{self.epochs}"


def track(items: Iterable[T], name: str, total: int) -> Generator[T, None, None]:
    """Pass items through and show how many are done."""
    with progress(name, total) as advance:
        for item in items:
            yield item
            advance()
