"""Writes timm.json: what timm's networks give for weights that a formula makes of their names.

python test/weights/timm_networks.py > test/weights/timm.json
"""

import hashlib
import json
import math

import numpy as np
import timm
import torch


GAIN = 1.15
# timm keeps the kernels of CondConv flat, so that their fan-in is not in their shape.
EXPERTS_GAIN = 16


def values(name, shape):
    """A tensor that follows from its name, as in test/models/torchvision.py, but large enough for images to tell in the end."""
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
        experts = len(shape) == 2 and ".conv_" in name
        made = noise * GAIN * (EXPERTS_GAIN if experts else 1) * math.sqrt(6 / math.prod(shape[1:]))
    return torch.from_numpy(made.reshape(shape).astype(np.float32))


def row(name, size):
    network = timm.create_model(name, num_classes=5).eval()
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    lines = sorted(f"{k}:{v.numel()}" for k, v in state.items())
    network.load_state_dict({k: values(k, tuple(v.shape)) for k, v in state.items()}, strict=False)
    with torch.no_grad():
        outputs = network.double()(values("image", (2, 3, size, size)).double())
    states = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"imageSize": size, "states": states, "outputs": [float(f"{v:.7g}") for v in outputs.flatten()]}


# At 32n + 1 pixels the padding of TensorFlow's networks is the same on both sides.
rows = {
    "mobilenetv3_large_100": row("mobilenetv3_large_100", 48),
    "tf_mobilenetv3_small_100": row("tf_mobilenetv3_small_100", 65),
    "efficientnet_b0": row("efficientnet_b0", 48),
    "tf_efficientnet_cc_b0_4e": row("tf_efficientnet_cc_b0_4e", 65),
}
print("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()) + "\n}")
