"""Files that are joined in one file, and files that are cut short."""

import os
import re
from collections.abc import Iterator
from typing import BinaryIO

import soundfile

# How a file starts -> what each file joined to it starts with. An MP3 file starts in its first
# frame, which holds no sound but the number of frames.
_MP3 = rb"\xff[\xe2-\xff].{2}(?:.{9}|.{17}|.{32})(?:Xing|Info)|\xff[\xe2-\xff].{34}VBRI"
_STARTS = {
    magic: re.compile(pattern, re.DOTALL)
    for magic, pattern in (
        (b"OggS", rb"OggS\x00[\x02\x06]\x00{8}"),  # a page that begins a stream
        (b"fLaC", rb"fLaC[\x00\x80]\x00\x00\x22"),
        (b"RIFF", rb"RIFF.{4}WAVE"),
        (b"RF64", rb"RF64.{4}WAVE"),
        (b"riff", rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"),  # W64
        (b"FORM", rb"FORM.{4}AIF[FC]"),
        (b".snd", rb"\.snd\x00{3}[\x18-\xff].{4}\x00{3}[\x01-\x1b]"),  # AU
        (b"caff", rb"caff\x00\x01\x00\x00desc"),
        (b"ID3", _MP3),
        (b"\xff", _MP3),
    )
}
_LONGEST_START = 64  # bytes; no pattern is longer
# Bytes. No file of sound is shorter; streams that run in parallel in one Ogg file start within.
_SHORTEST = 300
_SCAN_BYTES = 2**20
_MOST = 0.8  # of an MP3 file; the rest may be tags
_LONGEST_PAGE = 65_307  # bytes of a page of an Ogg file
_CORRECTED = re.compile(
    r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*:\s*(\d+) \(should be (\d+)\)"
)
_UNKNOWN = 0x7FFFFFFF - 2**16  # bytes; about this and more is stated while a file is being written


class Part:
    """A part of a file, from one byte to another, for soundfile to read."""

    def __init__(self, file: BinaryIO, start: int, stop: int, has_length: bool = True) -> None:
        """Name the bytes of an open file.

        Args:
            file: the file, open for reading.
            start, stop: the part begins at byte `start` and ends before byte `stop`.
            has_length: whether it states its length, so that libsndfile need not estimate it.
        """
        self._file, self._start, self._stop, self._at = file, start, stop, start
        self.has_length = has_length

    @property
    def is_left_early(self) -> bool:
        """Whether decoding ended long before the end, because the length was estimated wrongly."""
        return self.tell() < _MOST * (self._stop - self._start)

    def read(self, count: int) -> bytes:
        """At most `count` bytes from the current position."""
        self._file.seek(self._at)
        content = self._file.read(max(0, min(count, self._stop - self._at)))
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move within the part, and return the new position."""
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._stop}[whence]
        self._at = base + offset
        return self.tell()

    def tell(self) -> int:
        """The position within the part."""
        return self._at - self._start


def parts(file: BinaryIO) -> list[Part | None]:
    """The files that are joined in a file, of which libsndfile reads the first.

    Returns:
        [None] if it is one file; but one part if it is MP3, to see how much of it is decoded.
    """
    found = list(_starts(file))
    size = os.fstat(file.fileno()).st_size
    if len(found) < 2:
        return [Part(file, 0, size, has_length=bool(found))] if _is_mp3(file) else [None]
    starts = [0, *found[1:]]  # the first that was found is that of the file itself
    stops = [*starts[1:], size]
    return [Part(file, start, stop) for start, stop in zip(starts, stops, strict=True)]


def _is_mp3(file: BinaryIO) -> bool:
    """Whether a file is MP3 by its first bytes or, if these are damaged, by its name."""
    file.seek(0)
    starts_so = file.read(3).startswith((b"ID3", b"\xff"))
    return starts_so or file.name.lower().endswith((".mp2", ".mp3"))


def _starts(file: BinaryIO) -> Iterator[int]:
    """Yield the bytes where files of sound start; reads the file once, in constant memory."""
    file.seek(0)
    block = file.read(_SCAN_BYTES)
    pattern = next((p for magic, p in _STARTS.items() if block.startswith(magic)), None)
    if pattern is None:
        return
    at, last = 0, -_SHORTEST
    while block:
        for match in pattern.finditer(block):
            start = at + match.start()
            if start - last >= _SHORTEST:
                yield start
            last = start
        more = file.read(_SCAN_BYTES)
        rest = block[-_LONGEST_START:] if more else b""
        at += len(block) - len(rest)
        block = rest + more


def declared_frames(file: soundfile.SoundFile) -> int:
    """Samples per channel that a header states, also where libsndfile corrects it to what is there.

    libsndfile's log then has a line such as "data : 64000 (should be 32000)", in bytes.
    """
    for line in file.extra_info.splitlines():
        if match := _CORRECTED.search(line):
            stated, found = map(int, match.groups())
            if 0 < found < stated < _UNKNOWN:
                return round(file.frames * stated / found)
    return int(file.frames)


def lacks_end(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file is cut, or is not marked as the end of its stream."""
    file.seek(0)
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, os.fstat(file.fileno()).st_size - _LONGEST_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 28 or not page[5] & 4:
        return True
    segments = page[26]  # then follow the lengths of the segments, then the segments
    return len(page) < 27 + segments + sum(page[27 : 27 + segments])
