"""Write the demo's sound files: the same sound gives the same bytes."""

import zlib
from pathlib import Path

import numpy as np
import soundfile
import soxr

from birdclef.demo.recordings import Take
from birdclef.demo.scenes import focal_recording
from birdclef.demo.shared import render_part
from birdclef.demo.synthesis import SAMPLE_RATE_HZ, Sound, stream

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> int:
    """CRC of an Ogg page: zlib's CRC-32 with the bits in reverse order and not inverted."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def set_ogg_serial(ogg: bytes, serial: int) -> bytes:
    """Set the stream number of every page, because libsndfile draws it from the clock."""
    pages = []
    start = 0
    while start < len(ogg):  # a page: a 27-byte header, the length of each segment, the segments
        n_segments = ogg[start + 26]
        end = start + 27 + n_segments + sum(ogg[start + 27 : start + 27 + n_segments])
        page = bytearray(ogg[start:end])
        page[14:18] = serial.to_bytes(4, "little")
        page[22:26] = bytes(4)
        page[22:26] = _ogg_checksum(bytes(page)).to_bytes(4, "little")
        pages.append(bytes(page))
        start = end
    return b"".join(pages)


def write_sound(path: Path, sound: Sound, rate_hz: int, compression: float | None = None) -> None:
    """Write 16-bit samples as ogg or mp3, depending on the suffix; same sound, same bytes.

    Args:
        path: the file; its folder is made if missing.
        sound: shape (sample,) or (sample, channel); values outside -1..1 are clipped.
        rate_hz: sample rate of `sound` and of the file.
        compression: 0 (large) to 1 (small); None for libsndfile's default.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Write floats in 16-bit steps, not integers: from integers, libsndfile 1.2.2 fills half of a
    # stereo mp3 with uninitialised memory. Source: libsndfile pull request 1106.
    steps = np.float32(32767.0)
    samples = np.rint(np.clip(sound, -1.0, 1.0) * steps) / steps
    is_ogg = path.suffix == ".ogg"
    with soundfile.SoundFile(
        path,
        "w",
        rate_hz,
        1 if samples.ndim == 1 else samples.shape[1],
        format="OGG" if is_ogg else "MP3",
        subtype="VORBIS" if is_ogg else "MPEG_LAYER_III",
        compression_level=compression,
    ) as file:
        for start in range(0, len(samples), rate_hz):  # one long call overflows Vorbis's stack
            file.write(samples[start : start + rate_hz])
    if is_ogg:
        path.write_bytes(set_ogg_serial(path.read_bytes(), 1))


def write_take(root: Path, take: Take, seed: int) -> None:
    """Write a take's file: its sound, an empty or a corrupt file, or nothing if it is missing."""
    path = root / take.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if take.state == "empty":
        path.write_bytes(b"")
    elif take.state == "corrupt":  # the start of an ogg page, then random bytes
        path.write_bytes(b"OggS" + stream(seed, "corrupt", take.xc_id).bytes(5000))
    elif take.state == "sound":
        write_sound(path, _take_sound(take, seed), take.rate_hz, 0.9 if take.reencoded else None)


def _whole_sound(take: Take, seed: int) -> Sound:
    if take.part:
        return render_part(seed, take.part)
    recording = take.recording
    return focal_recording(
        seed,
        recording.xc_id,
        recording.species,
        recording.secondary,
        recording.recordist,
        recording.length_s,
    )


def _take_sound(take: Take, seed: int) -> Sound:
    sound = _whole_sound(take, seed)
    if take.excerpt_s:
        start, end = (round(s * SAMPLE_RATE_HZ) for s in take.excerpt_s)
        sound = sound[start:end]
    if take.rate_hz != SAMPLE_RATE_HZ:
        sound = soxr.resample(sound, SAMPLE_RATE_HZ, take.rate_hz)
    if take.channels == 2:  # the second channel is later and softer
        sound = np.stack([sound, np.float32(0.7) * np.roll(sound, 9)], axis=1)
    return sound * np.float32(0.5) if take.reencoded else sound
