"""Writes torchvision.json: what torchvision's networks give for weights that a formula makes of their names.

python test/models/torchvision_networks.py > test/models/torchvision.json
"""

import hashlib
import json

import torch
from named_values import values
from torchvision import models


def row(name, size, part=None):
    network = getattr(models, name)(num_classes=5).eval()
    module = getattr(network, part) if part else network
    state = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    lines = sorted(f"{k}:{','.join(map(str, v.shape))}" for k, v in state.items())
    module.load_state_dict({k: values(k, tuple(v.shape)) for k, v in state.items()}, strict=False)
    with torch.no_grad():
        outputs = module(values("image", (2, 3, size, size))).flatten(1)[:, :5]
    states = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"part": part or "", "imageSize": size, "states": states, "outputs": [float(f"{v:.7g}") for v in outputs.flatten()]}


rows = {
    "vgg11": row("vgg11", 32, "features"),
    "mobilenet_v2": row("mobilenet_v2", 48),
    "mobilenet_v3_small": row("mobilenet_v3_small", 48),
    "mobilenet_v3_large": row("mobilenet_v3_large", 48),
    "efficientnet_b0": row("efficientnet_b0", 48),
}
print("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()) + "\n}")
