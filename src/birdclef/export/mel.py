"""The front end as the exported file computes it: matrix products instead of an FFT operator.

ONNX Runtime computes these many times faster than its STFT operator. The two front ends agree to
1e-5 of the image. The image contains the mel only once; export/backbone.py adapts the backbones.
"""

from math import isqrt

import torch
from torch import Tensor, nn

from birdclef.model.mel import LogMel, hop_length
from birdclef.params import ClipsParams, MelParams


class ExportableLogMel(LogMel):
    """`LogMel` without an FFT operator: one Cooley-Tukey step, as matrix products.

    Let n_fft = P Q. For sample n = Q a + b of a frame and bin k = c + P d, the spectrum is

        X(c + P d) = sum_b exp(-2 pi i b (c + P d) / n_fft) Y(c, b)
        Y(c, b)    = sum_a exp(-2 pi i a c / P) x(Q a + b),

    which takes a quarter of the products of a plain transform. Sound is real, so c up to P / 2
    gives every bin k or its mirror image n_fft - k. Columns d that no mel band uses are left out.
    The window may start at sample 0, because its position in the frame does not affect the power.
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
        bands = self.filters.fb[torch.minimum(bins, mel.n_fft - bins)]
        bands[((2 * c) % p == 0)[:, None] & (2 * bins > mel.n_fft)] = 0  # count duplicates once
        used = bands.sum(dim=(0, 2)).nonzero().squeeze(1)
        # float64 until the end, because the angles reach many turns
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
        """Cut into centred frames, reflected at both ends: (B, sample) -> (B, frame, sample).

        A frame is as long as `window`. Frames are cut without a gather operator: the sound is split
        into blocks of one hop, and a frame is one block plus the start of the blocks after it.

            padded   |--hop--|--hop--|--hop--|--hop--|
            frame 0  |----window-----|
            frame 1          |----window-----|
        """
        # torch.stft centres frames of n_fft samples, with the window in the middle of each frame
        before = self.n_fft // 2 - (self.n_fft - self.win_length) // 2
        width = len(self.window)
        span = -(-width // self.hop)  # number of blocks that one frame reaches over
        length = (self.n_frames - 1 + span) * self.hop
        after = max(0, length - before - waveforms.shape[1])
        padded = nn.functional.pad(waveforms.unsqueeze(1), (before, after), mode="reflect")
        padded = padded.squeeze(1)[:, :length]
        blocks = padded.reshape(-1, self.n_frames - 1 + span, self.hop)
        starts = range(span)
        parts = [blocks[..., : width - i * self.hop][:, i : i + self.n_frames] for i in starts]
        return torch.cat(parts, dim=2)

    def mel_power(self, waveforms: Tensor) -> Tensor:
        frames = (self._frames(waveforms) * self.window).reshape(-1, self.rows.shape[1], self.q)
        halfway = self.rows @ frames  # (B frame, 2 c, b), real and imaginary in turn
        halfway = halfway.reshape(-1, len(self.real), 2 * self.q).transpose(0, 1)
        real, imaginary = halfway @ self.real, halfway @ self.imaginary  # (c, B frame, d)
        power = (real * real + imaginary * imaginary).transpose(0, 1)
        return (power.reshape(-1, self.n_frames, len(self.bands)) @ self.bands).transpose(1, 2)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Turn clips into images with one mel: (B, sample) -> (B, 2, mel, frame), mel then ramp."""
        image = self.image(waveforms)
        ramp = self.ramp[0].expand(image.shape[0], -1, image.shape[2])
        return torch.stack([image, ramp], dim=1)
