"""Parts of labelled soundscapes in other files: leaks, which the pipeline has to find.

Soundscapes that were published without labels have held parts of labelled ones, and recordings
have been cut from them. A model that learns from such a file has heard the test.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from birdclef.demo.scenes import WINDOW_S, Song, audible_species, soundscape
from birdclef.demo.synthesis import SAMPLE_RATE_HZ, Sound, decibels

PART_S = 30.0  # of a labelled soundscape in an unlabelled one; at most half of it
CUT_S = 10.0  # of a labelled soundscape as a recording
LEVEL_DB = -7.0  # of a part, relative to the labelled soundscape


@dataclass(frozen=True)
class Part:
    """A part of a labelled soundscape.

    Attributes:
        index: number of the labelled soundscape.
        songs: songs of the whole soundscape.
        whole_s: length of the whole soundscape.
        start_s, end_s: the part.
        species: indices in SPECIES of the birds that are audible in it, the commonest first.
    """

    index: int
    songs: tuple[Song, ...]
    whole_s: float
    start_s: float
    end_s: float
    species: tuple[int, ...] = ()


def plan_middle(index: int, songs: Sequence[Song], length_s: float) -> Part:
    """Half a minute, or half, from the middle of a soundscape."""
    part_s = min(PART_S, length_s / 2)
    start_s = (length_s - part_s) / 2
    return Part(index, tuple(songs), length_s, start_s, start_s + part_s)


def plan_cut(seed: int, labeled: Sequence[Sequence[Song]], length_s: float) -> Part:
    """The stretch of CUT_S, of whole windows, that holds the fewest species, but at least one.

    Args:
        seed: of the demo.
        labeled: songs of each labelled soundscape.
        length_s: length of each of them.
    """
    n_windows, n_cut = int(length_s // WINDOW_S), int(min(CUT_S, length_s) // WINDOW_S)
    found = []
    for index, songs in reversed(list(enumerate(labeled))):  # the last soundscape, if all are equal
        windows = audible_species(seed, list(songs), n_windows)
        for first in range(n_windows - n_cut + 1):
            heard = [i for present in windows[first : first + n_cut] for i in present]
            species = tuple(i for i, _ in Counter(sorted(heard)).most_common())
            start_s, end_s = float(first * WINDOW_S), float((first + n_cut) * WINDOW_S)
            found.append(Part(index, tuple(songs), length_s, start_s, end_s, species))
    return min((part for part in found if part.species), key=lambda part: len(part.species))


def render_part(seed: int, part: Part) -> Sound:
    """The part as it sounds in the labelled soundscape, at another level; shape (sample,)."""
    sound = soundscape(seed, "labeled", part.index, list(part.songs), part.whole_s)
    start, end = (round(s * SAMPLE_RATE_HZ) for s in (part.start_s, part.end_s))
    return np.asarray(sound[start:end] * decibels(LEVEL_DB), np.float32)


def put_into(sound: Sound, part: Sound) -> Sound:
    """Replace sound of a soundscape by a part, from a third of its length on."""
    start = len(sound) // 3
    held = sound.copy()
    held[start : start + len(part)] = part
    return held
