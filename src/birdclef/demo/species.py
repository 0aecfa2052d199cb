"""The demo's invented species, and the voice of each bird."""

from dataclasses import dataclass
from functools import cache

from birdclef.demo.synthesis import (
    Syllable,
    Voice,
    individual,
    stream,
)


@dataclass(frozen=True)
class Species:
    """An invented species: its code, its names and its voice."""

    code: str
    common_name: str
    scientific_name: str
    voice: Voice


def _whistles(*contours_khz: tuple[float, ...], length_s: float) -> tuple[Syllable, ...]:
    return tuple(
        Syllable(tuple(1000.0 * f for f in contour), length_s * (0.8 + 0.1 * (i % 5)))
        for i, contour in enumerate(contours_khz)
    )


SPECIES = (  # the most common first; the demo uses the first `species` of them
    Species("ashtri9", "Ashen Trillfinch", "Trillaria cinerea", Voice(
        (Syllable((5600.0, 4500.0, 3600.0), 0.06, (1.0, 0.15)),), (12, 20), 0.025, (0.2, 0.9))),
    Species("rustri9", "Rusty Trillfinch", "Trillaria ferruginea", Voice(
        (Syllable((5300.0, 4200.0, 3300.0), 0.11, (1.0, 0.15)),), (7, 12), 0.07, (0.2, 0.9))),
    Species("mosdov9", "Moss Dove", "Muscolumba viridis", Voice(
        (Syllable((480.0, 640.0, 600.0), 0.22, (1.0, 0.7, 0.5, 0.3, 0.1)),
         Syllable((600.0, 560.0, 470.0), 0.5, (1.0, 0.7, 0.5, 0.3, 0.1))),
        (1, 3), 0.1, (0.2, 0.8))),
    Species("coacro9", "Coal Crow", "Corvulus carbo", Voice(
        (Syllable((620.0, 780.0, 740.0, 560.0), 0.34,
                  (0.4, 0.7, 1.0, 1.0, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2), pulse_hz=70.0),),
        (2, 5), 0.2, (0.2, 0.9))),
    Species("lanwar9", "Lantern Warbler", "Lucisylvia vespera", Voice(
        _whistles((4.0, 6.4), (7.2, 4.6), (5.0, 7.4, 5.2), (4.2, 4.3), (7.4, 5.2), (5.6, 4.0, 5.9),
                  (4.4, 6.6, 6.8), (6.4, 6.2), length_s=0.14),
        (9, 16), 0.04, (0.2, 0.9), shuffled=True)),
    Species("glawar9", "Glade Warbler", "Lucisylvia saltus", Voice(
        _whistles((3.5, 5.6), (6.3, 4.0), (4.4, 6.5, 4.5), (3.6, 3.7), (6.5, 4.5), (4.8, 3.5, 5.2),
                  (3.9, 5.7, 5.9), (5.6, 5.5), length_s=0.20),
        (7, 12), 0.07, (0.2, 0.9), shuffled=True)),
    Species("buzcis9", "Buzzing Cisticole", "Cisticolina susurrans", Voice(
        (Syllable((6600.0, 7900.0, 8300.0), 0.7, (1.0, 0.1), pulse_hz=130.0),),
        (1, 3), 0.15, (0.2, 0.8))),
    Species("ratkin9", "Rattling Kingfisher", "Crepitalcyon rapidus", Voice(
        (Syllable((1900.0, 3100.0, 2100.0), 0.05, (1.0, 0.8, 0.6, 0.3)),),
        (14, 26), 0.04, (0.2, 0.9), pitch_drift=0.99, tempo_drift=0.97)),
    Species("twocuc9", "Twofold Cuckoo", "Echocuculus duplex", Voice(
        (Syllable((1480.0, 1600.0, 1450.0), 0.2, (1.0, 0.4, 0.15)),
         Syllable((1150.0, 1220.0, 1060.0), 0.28, (1.0, 0.4, 0.15))),
        (2, 5), 0.1, (0.2, 0.8))),
    Species("fevcuc9", "Fever Cuckoo", "Echocuculus febrilis", Voice(
        (Syllable((1250.0, 1350.0, 1320.0), 0.13, (1.0, 0.4, 0.15)),
         Syllable((1350.0, 1800.0, 1750.0), 0.22, (1.0, 0.4, 0.15)),
         Syllable((1300.0, 1260.0, 1120.0), 0.13, (1.0, 0.4, 0.15))),
        (2, 5), 0.05, (0.2, 0.8), pitch_drift=1.05)),
    Species("neeflo9", "Needle Flowerpecker", "Acusia minima", Voice(
        (Syllable((9600.0, 9000.0, 9200.0), 0.2, (1.0,)),
         Syllable((8000.0, 9800.0), 0.1, (1.0,))), (3, 6), 0.08, (0.2, 0.8))),
    Species("fluthr9", "Fluted Thrush", "Tibiaturdus lentus", Voice(
        _whistles((2.0, 2.3), (2.9, 2.4), (1.8, 2.7), (3.3, 2.5), (2.5, 1.9, 2.8), length_s=0.45),
        (3, 6), 0.1, (0.2, 0.9), shuffled=True)),
    # Not a species of the competition: the index must drop its label, and a model ignore its song.
    Species("wanpip9", "Wandering Pipit", "Errantus vagus", Voice(
        (Syllable((6000.0, 7200.0, 5600.0), 0.09, (1.0, 0.1)),), (2, 5), 0.2, (0.2, 1.0))),
)  # fmt: skip

VISITOR = len(SPECIES) - 1  # the species that is not in the competition


@cache
def bird(seed: int, species: int, number: int) -> Voice:
    """The voice of one individual of a species, the same in every recording."""
    return individual(SPECIES[species].voice, stream(seed, "bird", species, number))
