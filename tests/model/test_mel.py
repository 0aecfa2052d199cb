"""The front end agrees with domain facts, an independent STFT, and its exportable twin."""

import numpy as np
import pytest
import torch
from scipy import signal

from birdclef.common.lengths import clip_samples
from birdclef.export.mel import ExportableLogMel
from birdclef.model.mel import LogMel, hop_length
from birdclef.params import Params


def _tone(params: Params, frequency_hz: float) -> torch.Tensor:
    time_s = torch.arange(clip_samples(params.clips)) / params.clips.sample_rate_hz
    return torch.sin(2 * torch.pi * frequency_hz * time_s)[None]


def _band_edges_hz(params: Params) -> np.ndarray:
    """Edges of the HTK mel bands, from the textbook formula."""
    mel = params.mel
    low, high = (2595 * np.log10(1 + f / 700) for f in (mel.f_min, mel.f_max))
    return 700 * (10 ** (np.linspace(low, high, mel.n_mels + 2) / 2595) - 1)


@pytest.mark.parametrize("frequency_hz", [440.0, 1000.0, 4000.0, 11000.0])
def test_a_sine_is_brightest_in_the_band_that_contains_it(
    params: Params, frequency_hz: float
) -> None:
    image = LogMel(params.mel, params.clips)(_tone(params, frequency_hz))
    band = int(image[0, 0].mean(dim=1).argmax())
    edges = _band_edges_hz(params)
    assert edges[band] <= frequency_hz <= edges[band + 2]


OTHER = {"n_fft": 2048, "win_length": 800, "n_mels": 64, "n_frames": 161, "f_min": 300.0}
OTHER |= {"f_max": 9000.0, "floor_db": 15.0, "db_center": 30.0, "db_scale": 50.0}


@pytest.mark.parametrize("changes", [{}, OTHER])
def test_power_is_that_of_an_independent_stft(params: Params, changes: dict[str, float]) -> None:
    params = params.model_copy(update={"mel": params.mel.model_copy(update=changes)})
    mel, clips = params.mel, params.clips
    waveform = np.random.default_rng(0).standard_normal(clip_samples(clips))
    hop, edge = hop_length(mel, clips), mel.n_fft // 2
    padded = np.pad(waveform, edge, mode="reflect")
    window = np.pad(signal.get_window("hann", mel.win_length), (mel.n_fft - mel.win_length) // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, mel.n_fft)[::hop]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2  # (frame, bin)
    bins_hz = np.fft.rfftfreq(mel.n_fft, 1 / clips.sample_rate_hz)
    edges = _band_edges_hz(params)
    rising = (bins_hz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins_hz[:, None]) / np.diff(edges)[1:]
    expected = (power @ np.maximum(0, np.minimum(rising, falling))).T
    found = LogMel(mel, clips).mel_power(torch.from_numpy(waveform).float()[None])[0].numpy()
    assert found.shape == (mel.n_mels, mel.n_frames)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-3 * expected.mean())


@pytest.mark.parametrize(
    ("changes", "floor", "center", "scale"), [({}, 1e-3, 40, 80), (OTHER, 10**1.5, 30, 50)]
)
def test_image_is_scaled_decibels_twice_and_a_ramp(
    params: Params, changes: dict[str, float], floor: float, center: float, scale: float
) -> None:
    mel = params.mel.model_copy(update=changes)
    front_end = LogMel(mel, params.clips)
    waveform = torch.randn(
        2, clip_samples(params.clips), generator=torch.Generator().manual_seed(0)
    )
    image = front_end(waveform)
    size = (mel.n_mels, mel.n_frames)
    assert image.shape == (2, 3, *size)
    deviation = waveform.std(dim=1, keepdim=True, correction=0)
    power = front_end.mel_power(waveform / deviation).clamp(min=floor)
    expected = (10 * power.log10() - center) / scale
    torch.testing.assert_close(image[:, 0], expected)
    torch.testing.assert_close(image[:, 1], expected)
    ramp = torch.linspace(0, 1, mel.n_mels)[:, None].expand(2, *size)
    torch.testing.assert_close(image[:, 2], ramp)


def test_nothing_is_quieter_than_the_floor(params: Params) -> None:
    """The other bands of a tone hold only rounding errors; above the floor nothing changes."""
    mel = params.mel.model_copy(update={"floor_db": -100.0})
    tone = _tone(params, 1000.0)
    whole = LogMel(mel, params.clips)(tone)[0, 0]
    lifted = LogMel(params.mel, params.clips)(tone)[0, 0]
    floor = (params.mel.floor_db - params.mel.db_center) / params.mel.db_scale
    assert whole.min() < floor - 0.2
    torch.testing.assert_close(lifted, whole.clamp(min=floor))


def test_level_does_not_matter_and_silence_is_finite(params: Params) -> None:
    front_end = LogMel(params.mel, params.clips)
    waveform = torch.randn(
        1, clip_samples(params.clips), generator=torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(front_end(waveform), front_end(0.003 * waveform), atol=1e-4, rtol=0)
    assert torch.isfinite(front_end(torch.zeros_like(waveform))).all()


def test_autocast_does_not_lower_the_precision(params: Params) -> None:
    front_end = LogMel(params.mel, params.clips)
    waveform = torch.randn(
        1, clip_samples(params.clips), generator=torch.Generator().manual_seed(2)
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = front_end(waveform)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, front_end(waveform))


def test_exportable_twin_agrees(params: Params, small_params: Params) -> None:
    for p in (params, small_params):
        waveform = torch.randn(4, clip_samples(p.clips), generator=torch.Generator().manual_seed(3))
        waveform[2] = 0
        waveform[3] = _tone(p, 1000.0)
        plain, twin = LogMel(p.mel, p.clips), ExportableLogMel(p.mel, p.clips)
        torch.testing.assert_close(twin(waveform), plain(waveform)[:, 1:], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("n_fft", "win_length"), [(1536, 1536), (1500, 1001), (1024, 1024), (1018, 600), (1022, 1)]
)
def test_exportable_twin_agrees_for_any_length(
    small_params: Params, n_fft: int, win_length: int
) -> None:
    """Lengths with many divisors and with few, odd windows, bands up to the last bin."""
    changed = {"n_fft": n_fft, "win_length": win_length, "f_min": 0.0}
    changed["f_max"] = small_params.clips.sample_rate_hz / 2
    mel, clips = small_params.mel.model_copy(update=changed), small_params.clips
    waveform = torch.randn(2, clip_samples(clips), generator=torch.Generator().manual_seed(4))
    plain, twin = LogMel(mel, clips), ExportableLogMel(mel, clips)
    expected = plain.mel_power(waveform)
    torch.testing.assert_close(
        twin.mel_power(waveform), expected, rtol=1e-4, atol=1e-5 * float(expected.mean())
    )


def test_hop_follows_from_frames(params: Params) -> None:
    assert hop_length(params.mel, params.clips) == 1006
    bad = params.mel.model_copy(update={"n_frames": 60_000})
    with pytest.raises(ValueError, match=r"mel\.n_frames = 60000 .* set mel\.n_frames = "):
        hop_length(bad, params.clips)
