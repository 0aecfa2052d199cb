"""Types of arrays that several rooms exchange; shapes stand where they are used."""

import numpy as np
import numpy.typing as npt

Waveform = npt.NDArray[np.float32]  # (sample,)
Logits = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.floating]  # (row, species)
Indices = npt.NDArray[np.int64]
