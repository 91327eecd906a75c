"""PyTorch's side of the benchmarks: the same networks and layers, driven by JSON lines.

A line {"open": task, "variant": {...}} on standard input builds what is to be timed, {"round": seconds} runs it for about so
long; each is answered by one line. Between two lines the process sleeps. See protocol.ts.
"""

import contextlib
import json
import resource
import statistics
import sys
import time

import peer_networks
import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 10
WARM_UP_RUNS = 6
WARM_UP_SECONDS = 3

# Where it does not support the processor, it is tried, and warns, at every call.
torch.backends.nnpack.set_flags(False)


def grouped(x, attention, weight, bias):
    """As published: a kernel a sample, one convolution with a group a sample."""
    (batch, channels, height, width), (_, out, *inner) = x.shape, weight.shape
    kernels = (attention @ weight.flatten(1)).view(batch * out, *inner)
    y = F.conv2d(
        x.reshape(1, batch * channels, height, width), kernels, (attention @ bias).flatten(), padding=1, groups=batch
    )
    return y.view(batch, out, height, width)


def unfold(x, attention, weight, bias):
    """A kernel a sample, times the sample's columns."""
    (batch, _, height, width), (_, out, *_) = x.shape, weight.shape
    kernels = (attention @ weight.flatten(1)).view(batch, out, -1)
    y = torch.baddbmm((attention @ bias)[:, :, None], kernels, F.unfold(x, 3, padding=1))
    return y.view(batch, out, height, width)


def channels(x, attention, weight, bias):
    """The experts as channels of one convolution, then the weighted sum."""
    (batch, _, height, width), (experts, out, *_) = x.shape, weight.shape
    y = F.conv2d(x, weight.flatten(0, 1), padding=1).view(batch, experts, out, height, width)
    return (y * attention[:, :, None, None, None]).sum(1) + (attention @ bias)[:, :, None, None]


FORMULATIONS = {"grouped": grouped, "unfold": unfold, "channels": channels}


class DynamicConv2d(nn.Module):
    """A 3x3 dynamic convolution with padding 1, routed at temperature 1."""

    def __init__(self, in_channels, out_channels, experts, formulation):
        super().__init__()
        static = [nn.Conv2d(in_channels, out_channels, 3) for _ in range(experts)]
        self.weight = nn.Parameter(torch.stack([conv.weight.data for conv in static]))
        self.bias = nn.Parameter(torch.stack([conv.bias.data for conv in static]))
        hidden = in_channels // 4
        self.routing = nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, experts, 1))
        self.mix = FORMULATIONS[formulation]

    def forward(self, x):
        attention = self.routing(F.adaptive_avg_pool2d(x, 1)).flatten(1).softmax(1)
        return self.mix(x, attention, self.weight, self.bias)


def features(convolution):
    return [
        *(nn.Conv2d(3, 48, 11, stride=4, padding=5), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(48, 128, 5, padding=2), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(convolution(128, 192), nn.BatchNorm2d(192), nn.ReLU()),
        *(convolution(192, 192), nn.BatchNorm2d(192), nn.ReLU()),
        *(convolution(192, 128), nn.BatchNorm2d(128), nn.ReLU()),
    ]


def network(name, experts, formulation):
    """AlexNet, AlexNet-DY, the latter with a head for images of any size (see networks.ts), or one of peer_networks."""
    if not name.startswith("alexnet"):
        return peer_networks.build(name, formulation, CLASSES)
    if name == "alexnet":
        layers = features(lambda i, o: nn.Conv2d(i, o, 3, padding=1))
    else:
        layers = features(lambda i, o: DynamicConv2d(i, o, experts, formulation))
    if name == "alexnet-dy-pooled":
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, CLASSES))
    return nn.Sequential(
        *(*layers, nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(128 * 3 * 3, 2048), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(2048, 2048), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(2048, CLASSES),
    )


def training(model, x):
    """A step of the published recipe, its learning rate small so that tiny batches do not diverge."""
    targets = torch.arange(x.shape[0]) % CLASSES
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, weight_decay=1e-5)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), targets, label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        return loss

    return step


def backward(model, x):
    """Forward, and the gradients of input and parameters."""
    x.requires_grad_()
    wanted = [x, *model.parameters()]
    dy = torch.rand_like(model(x))

    def run():
        y = model(x)
        torch.autograd.grad(y, wanted, dy)
        return y

    return run


def inference(model, x):
    model.eval()

    def run():
        with torch.no_grad():
            return model(x)

    return run


def build(task, formulation, mode):
    """A function without arguments that does what the task describes."""
    torch.manual_seed(0)
    torch.set_num_threads(task["threads"])
    torch._dynamo.reset()
    if "network" in task:
        model = network(task["network"], task["experts"], formulation)
        x = torch.rand(task["batch"], 3, task["size"], task["size"])
    else:
        model = DynamicConv2d(task["inChannels"], task["outChannels"], task["experts"], formulation)
        x = torch.rand(task["batch"], task["inChannels"], task["size"], task["size"])
    if mode.startswith("channels-last"):
        x = x.contiguous(memory_format=torch.channels_last)
        # Experts have five dimensions, which `model.to` refuses.
        for tensor in model.parameters():
            if tensor.dim() == 4:
                tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    if not mode.endswith("eager"):
        torch._inductor.config.freezing = mode == "frozen"
        model.compile(dynamic=False)
    return {"train": training, "forward+backward": backward}.get(task["kind"], inference)(model, x)


def warm_up(run):
    """The first runs still meet memory that is touched for the first time."""
    end = time.perf_counter() + WARM_UP_SECONDS
    for _ in range(WARM_UP_RUNS):
        run()
        if time.perf_counter() > end:
            break


def timed_round(run, seconds):
    run()
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    if not result.isfinite().all():
        raise ArithmeticError("the result is no number")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": statistics.median(times), "calls": len(times), "peakMemoryBytes": peak}


def main():
    answer = lambda document: print(json.dumps(document), flush=True)
    answer({"versions": {"python": sys.version.split()[0], "pytorch": torch.__version__}})
    run = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            # What libraries print must not get between the answers.
            with contextlib.redirect_stdout(sys.stderr):
                if "open" in request:
                    run = None
                    run = build(request["open"], **request["variant"])
                    warm_up(run)
                    result = {"opened": True}
                else:
                    result = timed_round(run, request["round"])
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        answer(result)


if __name__ == "__main__":
    main()
