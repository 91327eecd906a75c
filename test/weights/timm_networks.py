"""Writes timm.json: what timm's networks give for weights that a formula makes of their names.

python test/weights/timm_networks.py > test/weights/timm.json
"""

import hashlib
import json
import sys
from pathlib import Path

import timm
import torch

sys.path.append(str(Path(__file__).parents[1] / "models"))
from named_values import values  # noqa: E402


GAIN = 1.15
# timm keeps the kernels of CondConv flat, so that their fan-in is not in their shape.
EXPERTS_GAIN = 16


def gain(name, shape):
    """How much larger values are than those of test/models, for images to tell in the end."""
    experts = len(shape) == 2 and ".conv_" in name
    return GAIN * (EXPERTS_GAIN if experts else 1)


def row(name, size):
    network = timm.create_model(name, num_classes=5).eval()
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    lines = sorted(f"{k}:{v.numel()}" for k, v in state.items())
    network.load_state_dict({k: values(k, tuple(v.shape), gain(k, v.shape)) for k, v in state.items()}, strict=False)
    with torch.no_grad():
        outputs = network.double()(values("image", (2, 3, size, size), GAIN).double())
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
