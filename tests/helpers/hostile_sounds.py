"""A corpus of hostile sound files, made by code: each is read rightly, or set aside by name."""

import io
import os
import socket
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from sounds import RATE_HZ, tone

WHOLE_S = 6.0  # length of the sounds that are cut, damaged or joined
FORMATS = ("wav", "flac", "ogg", "mp3", "aiff", "au", "w64", "caf", "rf64")


class Case(NamedTuple):
    """One file, and what must become of it.

    Without any of the last three, every outcome is right that loses nothing without a word.
    """

    family: str
    name: str
    write: Callable[[Path], object]
    length_s: float | None = None  # read as so many seconds
    reason: str = ""  # a regular expression: set aside with this reason
    note: str = ""  # a regular expression: read in part, with this note


@cache
def encoded(
    suffix: str, seconds: float = WHOLE_S, hz: float = 1e3, rate_hz: int = RATE_HZ
) -> bytes:
    """The bytes of a sound file in the format that a suffix names."""
    content = io.BytesIO()
    content.name = f"x.{suffix}"
    soundfile.write(content, tone(seconds, hz, rate_hz), rate_hz)
    return content.getvalue()


def wav(
    samples: npt.NDArray[np.generic],
    rate_hz: int = RATE_HZ,
    channels: int = 1,
    code: int = 3,
    declared: int | None = None,
) -> bytes:
    """A WAV file with any header: code 1 is for integers, 3 for floats; `declared` in bytes."""
    data, width = samples.tobytes(), samples.dtype.itemsize
    frame = min(channels * width, 65_535)
    rate = (rate_hz * frame) & 0xFFFFFFFF
    form = struct.pack("<HHIIHH", code, channels, rate_hz, rate, frame, 8 * width)
    length = len(data) if declared is None else declared
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body


def _put(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def cut() -> Iterator[Case]:
    """Files of which only the first part is there."""
    for suffix in FORMATS:
        content = encoded(suffix)
        for share in (0.02, 0.25, 0.5, 0.9):
            end = int(share * len(content))
            yield Case("cut short", f"cut{share}.{suffix}", _put(content[:end]))
        for count in (0, 1, 4, 12, 40):
            yield Case("only a header", f"head{count}.{suffix}", _put(content[:count]))


def damaged() -> Iterator[Case]:
    """Files with changed bytes: in the header, where fields contradict, or anywhere."""
    rng = np.random.default_rng(0)
    for suffix in FORMATS:
        for number, reach in enumerate((16, 64, 200, 10**9)):
            content = bytearray(encoded(suffix))
            for at in rng.integers(0, min(reach, len(content)), 4):
                content[at] = rng.integers(256)
            yield Case("changed bytes", f"flip{number}.{suffix}", _put(bytes(content)))


def values() -> Iterator[Case]:
    """Sample values that no recorder makes, and some that one may."""
    sound = tone(2.0).astype(np.float64)

    def spiked(value: float, dtype: str = "<f4") -> bytes:
        samples = sound.copy()
        samples[1000] = value
        with np.errstate(over="ignore"):
            return wav(samples.astype(dtype))

    for value in (np.nan, np.inf, -np.inf, 1e20, 3e38, -1e11):
        case = _put(spiked(value))
        yield Case("values", f"{value}.wav", case, None, "NaN or infinite|full scale")
    yield Case("values", "1e300.wav", _put(spiked(1e300, "<f8")), None, "infinite|full scale")
    huge = wav((1e20 * sound).astype("<f4"))
    yield Case("values", "all1e20.wav", _put(huge), None, "1e.20|5e.19")
    both = np.stack([np.full(9000, 3e38), np.full(9000, 3e38)], axis=1).astype("<f4")
    yield Case("values", "sum.wav", _put(wav(both, channels=2)), None, "infinite|full scale")
    for name, samples in {
        "integers_in_floats": 2.0**31 * sound,
        "denormal": 1e-42 * sound,
        "offset": sound + 100,
        "silent": 0 * sound,
    }.items():
        yield Case("values", f"{name}.wav", _put(wav(samples.astype("<f4"))), 2.0)
    opposite = np.stack([sound, -sound], axis=1).astype("<f4")
    yield Case("values", "opposite.wav", _put(wav(opposite, channels=2)), 2.0)


def headers() -> Iterator[Case]:
    """Headers that state impossible rates, channels and lengths."""
    sound = (20_000 * tone(2.0)).astype("<i2")
    for rate in (0, 1, 999, 768_001, 2**31 - 1, 2**32 - 1):
        case = _put(wav(sound, rate_hz=rate, code=1))
        yield Case("header", f"rate{rate}.wav", case, None, "sample rate|unreadable")
    for rate in (1000, 8000, 192_000, 768_000):
        samples = (20_000 * tone(1.0, 200, rate)).astype("<i2")
        yield Case("header", f"rate{rate}.wav", _put(wav(samples, rate_hz=rate, code=1)), 1.0)
    for channels in (0, 17, 1000, 65_535):
        case = _put(wav(sound, channels=channels, code=1))
        yield Case("header", f"channels{channels}.wav", case, None, "channels|unreadable")
    many = np.repeat(sound[:RATE_HZ, None], 16, axis=1)
    yield Case("header", "channels16.wav", _put(wav(many, channels=16, code=1)), 1.0)
    for code in (0, 2, 9999):
        yield Case("header", f"code{code}.wav", _put(wav(sound, code=code)))
    for declared in (0x7FFFFFFF, 0xFFFFFFFF):  # by a program that could not go back to the header
        case = _put(wav(sound, code=1, declared=declared))
        yield Case("header", f"declared{declared}.wav", case, 2.0)
    for factor in (2, 100):
        case = _put(wav(sound, code=1, declared=factor * sound.nbytes))
        note = rf"^2\.0 of {2 * factor}\.0 s could be read"
        yield Case("header", f"declared_times{factor}.wav", case, note=note)
    nothing = _put(wav(sound, code=1, declared=0))  # a recorder that was switched off
    yield Case("header", "declared0.wav", nothing, None, "0 samples decoded")
    yield Case("header", "one_sample.wav", _put(wav(sound[:1], code=1)), 1 / RATE_HZ)
    yield Case("header", "no_sample.wav", _put(wav(sound[:0], code=1)), None, "0 samples")


def joined() -> Iterator[Case]:
    """Files with several files of sound in them, which libsndfile ends after the first."""
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff"):
        one, other = encoded(suffix), encoded(suffix, 3.0, hz=300)
        fast = encoded(suffix, 3.0, rate_hz=48_000)
        yield Case("joined", f"two.{suffix}", _put(one + other), 9.0)
        yield Case("joined", f"twice.{suffix}", _put(one + one), 12.0)
        yield Case("joined", f"three.{suffix}", _put(other + one + other), 12.0)
        yield Case("joined", f"rates.{suffix}", _put(one + fast), 9.0)
        yield Case("joined", f"junk.{suffix}", _put(one + b"junk" * 99), 6.0)
        yield Case("joined", f"cut.{suffix}", _put(one + other[: len(other) // 2]))


def codecs() -> Iterator[Case]:
    """Rare codecs, some of which cannot seek."""
    for name, form, subtype in (
        ("gsm.wav", "WAV", "GSM610"),
        ("gsm.w64", "W64", "GSM610"),
        ("gsm.aif", "AIFF", "GSM610"),
        ("g721.wav", "WAV", "G721_32"),
        ("g721.au", "AU", "G721_32"),
        ("g723.au", "AU", "G723_24"),
        ("g723_40.au", "AU", "G723_40"),
        ("dpcm16.xi", "XI", "DPCM_16"),
        ("dpcm8.xi", "XI", "DPCM_8"),
        ("ima.wav", "WAV", "IMA_ADPCM"),
        ("ms.wav", "WAV", "MS_ADPCM"),
        ("nms.wav", "WAV", "NMS_ADPCM_32"),
        ("ulaw.wav", "WAV", "ULAW"),
        ("alaw.au", "AU", "ALAW"),
        ("ima.aif", "AIFF", "IMA_ADPCM"),
        ("alac.caf", "CAF", "ALAC_16"),
        ("float.w64", "W64", "DOUBLE"),
        ("pcm24.flac", "FLAC", "PCM_24"),
        ("opus.opus", "OGG", "OPUS"),
        ("sds.wav", "SDS", "PCM_16"),
        ("sound.voc", "VOC", "PCM_16"),
        ("sphere.sph", "NIST", "PCM_16"),
    ):

        def write(path: Path, form: str = form, subtype: str = subtype) -> None:
            rate_hz = 44_100 if form == "XI" else 8000
            soundfile.write(path, tone(3.0, 500, rate_hz), rate_hz, format=form, subtype=subtype)

        yield Case("codec", name, write, 3.0)


def foreign() -> Iterator[Case]:
    """Sound that libsndfile does not read, and files that are no sound."""
    m4a = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(500)
    for name in ("phone.m4a", "PHONE2.M4A", "a.aac", "b.wma", "c.amr", "d.webm", "e.3gp", "f.ape"):
        yield Case("no sound", name, _put(m4a), None, "convert it with ffmpeg")
    for name, content in {
        "text.wav": b"not a sound\n" * 99,
        "page.mp3": b"<html><body>404</body></html>",
        "archive.flac": b"PK\x03\x04" + bytes(99),
        "picture.ogg": b"\x89PNG\r\n\x1a\n" + bytes(99),
        "zeros.wav": bytes(9999),
        "random.ogg": np.random.default_rng(1).bytes(9999),
        "table.aif": b"a,b\n1,2\n",
        "movie.wav": m4a,
        "list.wav": b"RIFF\x04\0\0\0WAVE",
        "loop.au": b".snd" + struct.pack(">IIIII", 24, 0xFFFFFFFF, 99, RATE_HZ, 1),
    }.items():
        yield Case("no sound", name, _put(content), None, "unreadable")
    for name in ("CAPITAL.WAV", "Mixed.Flac", "LOUD.OGG", "X.Mp3", "Y.AIFF"):
        suffix = name.rpartition(".")[2].lower()
        yield Case("suffix", name, _put(encoded(suffix)), WHOLE_S)
    yield Case("suffix", "flac_inside.wav", _put(encoded("flac")), WHOLE_S)
    yield Case("suffix", "wav_inside.m4a", _put(encoded("wav")), WHOLE_S)


NAMES = (
    *(os.fsdecode(b"caf\xe9.wav"), os.fsdecode(b"\xff\xfe.wav"), "red\x1b[31m.wav", "bell\x07.wav"),
    *("line\nbreak.wav", "tab\t.wav", "return\r.wav", "c1\x9b2J.wav", "rtl\u202e.wav", "é中🐦.wav"),
    *("=1+1.wav", "+x.wav", "-x.wav", "@x.wav", "'=x.wav", "[red]x.wav", "%s%n.wav"),
    *(" .wav", "a,b.wav", 'a"b.wav', "a;b|c&d.wav", "$(touch x).wav", "`x`.wav", "~.wav", "NA.wav"),
    *("x" * 251 + ".wav", "é" * 125 + "x.wav", "a.wav.wav", "C:\\x.wav", "{x}.wav"),
)


def names() -> Iterator[Case]:
    """Good sound under names that break terminals, tables and shells."""
    content = encoded("wav", 1.0)
    for name in NAMES:
        yield Case("name", name, _put(content), 1.0)


def no_files() -> Iterator[Case]:
    """What is in a folder and no regular file."""
    missing = "missing"

    def pair(path: Path) -> None:
        path.symlink_to("loop3.wav")
        path.with_name("loop3.wav").symlink_to(path.name)

    def a_socket(path: Path) -> None:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
        os.chdir(here)

    yield Case("no file", "loop.wav", lambda path: path.symlink_to(path.name), None, "to itself")
    yield Case("no file", "loop2.wav", pair, None, "to itself")
    yield Case("no file", "dangling.wav", lambda path: path.symlink_to("gone"), None, missing)
    yield Case("no file", "pipe.wav", os.mkfifo, None, missing)
    yield Case("no file", "socket.wav", a_socket, None, missing)
    yield Case("no file", "zero.wav", lambda path: path.symlink_to("/dev/zero"), None, missing)
    yield Case("no file", "self", lambda path: path.symlink_to("."), None, "is not followed")
    yield Case("no file", "up.wav", lambda path: path.symlink_to(".."), None, "is not followed")


def cases() -> list[Case]:
    """The whole corpus."""
    makers = (cut, damaged, values, headers, joined, codecs, foreign, names, no_files)
    return [case for maker in makers for case in maker()]
