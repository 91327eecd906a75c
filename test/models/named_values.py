"""Tensors that follow from their names, for networks to be compared without their weights; named-values.ts makes the same."""

import math

import numpy as np
import torch


def values(name, shape, gain=1.0):
    """Noise of the size that suits the part that a tensor of this name plays; gain scales kernels and images."""
    seed = sum(ord(letter) * (place + 1) for place, letter in enumerate(name)) % 10007
    noise = np.sin(np.arange(1, math.prod(shape) + 1) * 12.9898 + seed * 78.233) * 43758.5453
    noise = 2 * (noise - np.floor(noise)) - 1
    if name.endswith("running_var"):
        made = 1 + 0.5 * noise
    elif len(shape) == 1 and name.endswith("weight"):
        made = 1 + 0.3 * noise
    elif len(shape) == 1:
        made = 0.1 * noise
    else:
        made = noise * gain * math.sqrt(6 / math.prod(shape[1:]))
    return torch.from_numpy(made.reshape(shape).astype(np.float32))
