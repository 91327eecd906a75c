"""Writes the small files of weights that the tests read: python make.py (needs torch, numpy and onnx)."""

import collections
import os
import pathlib
import pickle

import numpy as np
import onnx
import torch

HERE = pathlib.Path(__file__).parent


def ramp(*shape):
    return torch.arange(float(np.prod(shape))).reshape(shape) / 4


state = collections.OrderedDict(
    {"conv.weight": ramp(2, 3, 1, 1), "bn.running_mean": ramp(2) + 8, "bn.num_batches_tracked": torch.tensor(7)}
)
wrapped = collections.OrderedDict(("module." + name, value) for name, value in state.items())
parameter = torch.nn.Parameter(ramp(2, 3))
optimizer = torch.optim.SGD([parameter], 0.1, momentum=0.9)
parameter.sum().backward()
optimizer.step()
checkpoint = {
    "epoch": 3,
    "best_acc1": torch.tensor(70.5),
    "state_dict": wrapped,
    "state_dict_ema": wrapped,
    "optimizer": optimizer.state_dict(),
}
views = {
    "transposed": ramp(3, 4).t(),
    "part": ramp(12)[3:7],
    "half": torch.tensor([1.5, -2]).half(),
    "bfloat16": torch.tensor([1.5, -2]).bfloat16(),
    "double": torch.tensor([1.5, -2]).double(),
    "parameter": torch.nn.Parameter(ramp(2)),
}


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil-was-run",)


class PaddleTensor:
    """As paddle.save writes a tensor."""

    def __init__(self, name, value):
        self.pair = (name, value)

    def __reduce__(self):
        return tuple, (self.pair,)


for suffix, zipped in (("", True), ("-old", False)):
    options = {"_use_new_zipfile_serialization": zipped}
    torch.save(state, HERE / f"state{suffix}.pth", **options)
    torch.save(checkpoint, HERE / f"checkpoint{suffix}.pth", **options)
    torch.save(views, HERE / f"views{suffix}.pth", **options)
    torch.save({"w": torch.zeros(1), "x": Evil()}, HERE / f"evil{suffix}.pth", **options)

arrays = {name: value.numpy() for name, value in state.items()}
paddle = {**arrays, "StructuredToParameterName@@": {name: name for name in arrays}}
fortran = {"fortran": np.asfortranarray(ramp(2, 3).numpy().astype(np.float64))}
for protocol in (2, 4, 5):
    with open(HERE / f"protocol{protocol}.pdparams", "wb") as file:
        pickle.dump({**paddle, **fortran}, file, protocol=protocol)
with open(HERE / "pairs.pdparams", "wb") as file:
    pickle.dump({name: PaddleTensor(name, value) for name, value in arrays.items()}, file, protocol=4)
with open(HERE / "evil.pdparams", "wb") as file:
    pickle.dump({"w": np.zeros(1), "x": Evil()}, file, protocol=4)

value = onnx.helper.make_tensor_value_info
graph = onnx.helper.make_graph(
    [onnx.helper.make_node("Identity", ["x"], ["y"])],
    "graph",
    [value("x", onnx.TensorProto.FLOAT, [1])],
    [value("y", onnx.TensorProto.FLOAT, [1])],
    [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    + [
        onnx.helper.make_tensor("typed", onnx.TensorProto.FLOAT, [2], [1.5, -2]),
        onnx.helper.make_tensor("half", onnx.TensorProto.FLOAT16, [2], [1.5, -2]),
    ],
)
onnx.save(onnx.helper.make_model(graph), HERE / "model.onnx")
