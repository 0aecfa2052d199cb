"""Waveform to the image that a backbone sees: log-mel, log-mel again, and a frequency ramp.

Two modules compute it: `LogMel` with torchaudio, and `ExportableLogMel` as matrix products,
which ONNX Runtime does many times faster than its STFT operator. They agree to 1e-5.
"""

import warnings
from math import isqrt

import torch
import torchaudio
from torch import Tensor, nn

from birdclef.params import ClipsParams, MelParams

_STD_FLOOR = 1e-8  # silence stays silence instead of becoming NaN


def hop_length(mel: MelParams, clips: ClipsParams) -> int:
    """Samples between frames, so that a clip gives exactly `mel.n_frames` centred frames.

    Raises:
        ValueError: no whole hop gives that many frames.
    """
    hop = clips.clip_samples // (mel.n_frames - 1)
    frames = 1 + clips.clip_samples // max(hop, 1)
    if frames != mel.n_frames:
        raise ValueError(
            f"mel.n_frames = {mel.n_frames} does not divide a clip of {clips.clip_samples} samples;"
            f" hop {hop} gives {frames} frames: set mel.n_frames = {frames}"
        )
    return hop


class LogMel(nn.Module):
    """Clips of any level to model images.

    (B, sample) waveforms -> (B, 3, mel, frame): (dB - center) / scale twice, then a ramp from
    0 at the lowest band to 1 at the highest. Each clip is divided by its standard deviation;
    bands softer than `mel.floor_db` are lifted to it, since single precision leaves there only
    rounding errors that no two ways of computing a spectrum share, and a network may listen to
    them. Always float32, also under autocast.
    """

    ramp: Tensor

    def __init__(self, mel: MelParams, clips: ClipsParams) -> None:
        super().__init__()
        self.center, self.scale = mel.db_center, mel.db_scale
        self.power_floor = 10 ** (mel.floor_db / 10)
        with warnings.catch_warnings():  # the lowest bands are narrower than an FFT bin: empty
            warnings.filterwarnings("ignore", message="At least one mel filterbank")
            self.spectrogram = torchaudio.transforms.MelSpectrogram(
                clips.sample_rate_hz,
                n_fft=mel.n_fft,
                win_length=mel.win_length,
                hop_length=hop_length(mel, clips),
                f_min=mel.f_min,
                f_max=mel.f_max,
                n_mels=mel.n_mels,
                mel_scale="htk",
                norm=None,
            )
        ramp = torch.linspace(0, 1, mel.n_mels).reshape(1, 1, -1, 1)
        self.register_buffer("ramp", ramp, persistent=False)

    def mel_power(self, waveforms: Tensor) -> Tensor:
        """(B, sample) -> (B, mel, frame), linear power."""
        power: Tensor = self.spectrogram(waveforms)
        return power

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            waveforms = waveforms.float()
            deviation = waveforms.std(dim=1, keepdim=True, correction=0)
            power = self.mel_power(waveforms / deviation.clamp(min=_STD_FLOOR))
            decibels = 10 * torch.log10(power.clamp(min=self.power_floor))
            image = ((decibels - self.center) / self.scale).unsqueeze(1)  # (B, 1, mel, frame)
            ramp = self.ramp.expand(image.shape[0], 1, -1, image.shape[3])
            return torch.cat([image, image, ramp], dim=1)


class ExportableLogMel(LogMel):
    """`LogMel` without an FFT operator: one step of Cooley and Tukey, as matrix products.

    With n_fft = P Q, sample n = Q a + b of a frame and bin k = c + P d, the spectrum is

        X(c + P d) = sum_b exp(-2 pi i b (c + P d) / n_fft) Y(c, b)
        Y(c, b)    = sum_a exp(-2 pi i a c / P) x(Q a + b),

    a quarter of the products of a plain transform. Sound is real, so that c up to P / 2 gives
    every bin or its mirror image n_fft - k; columns d that no mel band uses are left out. The
    window may start at sample 0: where it lies in the frame leaves no trace in the power.
    """

    window: Tensor
    rows: Tensor
    real: Tensor
    imaginary: Tensor
    bands: Tensor

    def __init__(self, mel: MelParams, clips: ClipsParams) -> None:
        super().__init__(mel, clips)
        self.hop, self.n_fft, self.win_length = hop_length(mel, clips), mel.n_fft, mel.win_length
        self.n_frames = mel.n_frames
        self.q = max(d for d in range(1, isqrt(mel.n_fft) + 1) if mel.n_fft % d == 0)
        p, n_rows = mel.n_fft // self.q, -(-mel.win_length // self.q)
        c, d = torch.arange(p // 2 + 1), torch.arange(self.q)
        bins = c[:, None] + p * d  # (c, d)
        bands = self.spectrogram.mel_scale.fb[torch.minimum(bins, mel.n_fft - bins)]
        bands[((2 * c) % p == 0)[:, None] & (2 * bins > mel.n_fft)] = 0  # met twice: count once
        used = bands.sum(dim=(0, 2)).nonzero().squeeze(1)
        # float64 until the end: the angles reach many turns
        first = 2 * torch.pi / p * c[:, None].double() * torch.arange(n_rows)  # (c, a)
        second = 2 * torch.pi / mel.n_fft * d[:, None].double() * bins[:, None, used]  # (c, b, d)
        cosine, sine = second.cos(), second.sin()
        window = torch.hann_window(mel.win_length, dtype=torch.float64)
        tables = {
            "window": nn.functional.pad(window, (0, n_rows * self.q - mel.win_length)),
            "rows": torch.stack([first.cos(), -first.sin()], dim=1).flatten(0, 1),  # (2 c, a)
            "real": torch.cat([cosine, sine], dim=1),  # (c, 2 b, d)
            "imaginary": torch.cat([-sine, cosine], dim=1),
            "bands": bands[:, used].flatten(0, 1),  # (c d, mel)
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float(), persistent=False)

    def _frames(self, waveforms: Tensor) -> Tensor:
        """(B, sample) -> (B, frame, length of `window`), centred, reflected at both ends.

        Frames are cut without a gather: blocks of one hop, each frame being a block and the
        start of those after it.

            padded   |--hop--|--hop--|--hop--|--hop--|
            frame 0  |----window-----|
            frame 1          |----window-----|
        """
        edge = self.n_fft // 2  # torch.stft centres by half an FFT; the window is inside it
        skip = (self.n_fft - self.win_length) // 2
        width = len(self.window)
        after = -(-width // self.hop)  # blocks that one frame reaches over
        padded = nn.functional.pad(waveforms.unsqueeze(1), (edge, edge), mode="reflect").squeeze(1)
        padded = padded[:, skip:]
        length = (self.n_frames - 1 + after) * self.hop
        padded = nn.functional.pad(padded, (0, max(0, length - padded.shape[1])))[:, :length]
        blocks = padded.reshape(-1, self.n_frames - 1 + after, self.hop)
        starts = range(after)
        parts = [blocks[:, i : i + self.n_frames, : width - i * self.hop] for i in starts]
        return torch.cat(parts, dim=2)

    def mel_power(self, waveforms: Tensor) -> Tensor:
        frames = (self._frames(waveforms) * self.window).reshape(-1, self.rows.shape[1], self.q)
        halfway = self.rows @ frames  # (B frame, 2 c, b), real and imaginary in turn
        halfway = halfway.reshape(-1, len(self.real), 2 * self.q).transpose(0, 1)
        real, imaginary = halfway @ self.real, halfway @ self.imaginary  # (c, B frame, d)
        power = (real * real + imaginary * imaginary).transpose(0, 1)
        return (power.reshape(-1, self.n_frames, len(self.bands)) @ self.bands).transpose(1, 2)
