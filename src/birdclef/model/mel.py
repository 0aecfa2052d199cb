"""From a waveform to the image that a backbone sees: log-mel, log-mel again, frequency ramp.

The exported file computes the same image in another way; see export/mel.py.
"""

import warnings
from math import log

import torch
import torchaudio
from torch import Tensor, nn

from birdclef.common.lengths import clip_samples
from birdclef.params import ClipsParams, MelParams, ParamsError

STD_FLOOR = 1e-8  # silence stays silence instead of becoming NaN


def hop_length(mel: MelParams, clips: ClipsParams) -> int:
    """Samples between frames, chosen so that a clip has exactly `mel.n_frames` centred frames.

    Raises:
        ParamsError: no whole number of samples gives that many frames.
    """
    samples = clip_samples(clips)
    hop = samples // (mel.n_frames - 1)
    frames = 1 + samples // max(hop, 1)
    if frames != mel.n_frames:
        raise ParamsError(
            f"mel.n_frames = {mel.n_frames} does not fit a clip of {samples} samples:"
            f" a hop of {hop} samples gives {frames} frames; set mel.n_frames = {frames}"
        )
    return hop


class LogMel(nn.Module):
    """Turn clips of any loudness into model images.

    (B, sample) waveforms -> (B, 3, mel, frame): (dB - center) / scale twice, then a ramp from
    0 at the lowest band to 1 at the highest. Each clip is first divided by its standard deviation.
    Bands quieter than `mel.floor_db` are raised to it. Below the floor, single precision leaves
    only rounding errors, which differ from one way of computing a spectrum to another, and a
    network could learn from them. Computation is always in float32, also under autocast.
    """

    ramp: Tensor

    def __init__(self, mel: MelParams, clips: ClipsParams) -> None:
        super().__init__()
        self.center, self.scale = mel.db_center, mel.db_scale
        self.power_floor = 10 ** (mel.floor_db / 10)
        with warnings.catch_warnings():  # empty bands are expected: the lowest are below a bin wide
            warnings.filterwarnings("ignore", message="At least one mel filterbank")
            self.filters = torchaudio.transforms.MelScale(
                mel.n_mels,
                clips.sample_rate_hz,
                mel.f_min,
                mel.f_max,
                n_stft=mel.n_fft // 2 + 1,
                norm=None,
                mel_scale="htk",
            )
        self.spectrum = torchaudio.transforms.Spectrogram(
            mel.n_fft, mel.win_length, hop_length(mel, clips), power=None
        )
        ramp = torch.linspace(0, 1, mel.n_mels).reshape(1, 1, -1, 1)
        self.register_buffer("ramp", ramp, persistent=False)

    def mel_power(self, waveforms: Tensor) -> Tensor:
        """Compute the mel spectrum as linear power: (B, sample) -> (B, mel, frame)."""
        spectrum = self.spectrum(waveforms)
        power = spectrum.real.square() + spectrum.imag.square()  # abs() would take a root first
        mel_power: Tensor = self.filters(power)
        return mel_power

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            waveforms = waveforms.float()
            image = self.image(waveforms).unsqueeze(1)  # (B, 1, mel, frame)
            ramp = self.ramp.expand(image.shape[0], 1, -1, image.shape[3])
            return torch.cat([image, image, ramp], dim=1)

    def image(self, waveforms: Tensor) -> Tensor:
        """Compute the scaled log-mel: (B, sample) -> (B, mel, frame).

        The power is divided by the variance. This is cheaper than dividing the samples by the
        standard deviation, because there are many more samples, and needs no root. Neither a root
        nor log10 gives the same bits on every processor (common/portable.py).
        """
        variance = waveforms.var(dim=1, correction=0).clamp(min=STD_FLOOR**2)
        power = self.mel_power(waveforms) / variance[:, None, None]
        logarithm = power.clamp(min=self.power_floor).log()
        return logarithm * (10 / log(10) / self.scale) - self.center / self.scale
