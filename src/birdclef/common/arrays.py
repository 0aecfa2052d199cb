"""Array types that several packages exchange; the functions that use them state shapes."""

import numpy as np
import numpy.typing as npt

Waveform = npt.NDArray[np.float32]  # (sample,)
Logits = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.floating]  # (row, species)
Indices = npt.NDArray[np.int64]
