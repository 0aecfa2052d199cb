"""Waveform to the image that a backbone sees: log-mel, log-mel again, and a frequency ramp.

Two modules compute it: `LogMel` with torchaudio, and `ExportableLogMel` as matrix products,
which ONNX Runtime does many times faster than its STFT operator. They agree to 1e-5.
"""

import warnings

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
    """`LogMel` without an FFT: frames times a windowed cosine and sine basis, by MatMul.

    Only the bins that some mel band uses are computed. The window is symmetric about its middle,
    so that the cosines need only the even half of a frame and the sines only the odd half, which
    halves the products: with m counted from the middle,

        sum_m w(m) x(m) cos(k m) = sum_{m >= 0} w(m) (x(m) + x(-m)) cos(k m),  m = 0 counted once.
    """

    cosines: Tensor
    sines: Tensor
    bands: Tensor

    def __init__(self, mel: MelParams, clips: ClipsParams) -> None:
        super().__init__(mel, clips)
        self.hop, self.n_fft, self.win_length = hop_length(mel, clips), mel.n_fft, mel.win_length
        self.n_frames = mel.n_frames
        bands = self.spectrogram.mel_scale.fb  # (bin, mel)
        used = bands.sum(dim=1).nonzero().squeeze(1)
        # float64 until the end: the angles reach n_fft * bins / 2 turns
        half = torch.arange(mel.win_length - mel.win_length // 2, mel.win_length)  # right of middle
        middle = half - mel.win_length / 2  # m; the sign that the FFT's start adds leaves no trace
        window = torch.hann_window(mel.win_length, dtype=torch.float64)[half]
        window[middle == 0] /= 2
        angle = 2 * torch.pi * middle.double()[:, None] * used[None, :] / mel.n_fft
        self.register_buffer("cosines", (window[:, None] * angle.cos()).float(), persistent=False)
        self.register_buffer("sines", (window[:, None] * angle.sin()).float(), persistent=False)
        self.register_buffer("bands", bands[used].clone(), persistent=False)

    def _frames(self, waveforms: Tensor) -> Tensor:
        """(B, sample) -> (B, frame, win_length), centred, reflected at both ends.

        Frames are cut without a gather: blocks of one hop, each frame being a block and the
        start of those after it.

            padded   |--hop--|--hop--|--hop--|--hop--|
            frame 0  |---win_length---|
            frame 1          |---win_length---|
        """
        edge = self.n_fft // 2  # torch.stft centres by half an FFT; the window is inside it
        skip = (self.n_fft - self.win_length) // 2
        after = -(-self.win_length // self.hop)  # blocks that one frame reaches over
        padded = nn.functional.pad(waveforms.unsqueeze(1), (edge, edge), mode="reflect").squeeze(1)
        padded = padded[:, skip:]
        length = (self.n_frames - 1 + after) * self.hop
        padded = nn.functional.pad(padded, (0, max(0, length - padded.shape[1])))[:, :length]
        blocks = padded.reshape(-1, self.n_frames - 1 + after, self.hop)
        parts = [blocks[:, i : i + self.n_frames] for i in range(after)]
        return torch.cat(parts, dim=2)[:, :, : self.win_length]

    def mel_power(self, waveforms: Tensor) -> Tensor:
        frames = self._frames(waveforms)
        half = self.win_length // 2
        right = frames[:, :, self.win_length - half :]
        left = frames[:, :, 1 : half + 1].flip(2)  # the window's first sample is 0
        real, imaginary = (right + left) @ self.cosines, (right - left) @ self.sines
        return ((real.square() + imaginary.square()) @ self.bands).transpose(1, 2)
