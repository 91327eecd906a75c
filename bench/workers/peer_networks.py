"""ResNet-18, MobileNetV2 and MobileNetV3-Small in PyTorch, static or with dynamic convolutions, as dyconv builds them.

The structure is that of `src/models`, and so is which convolutions are dynamic. A formulation is a way to compute a
convolution with a kernel a sample: `grouped`, as published, a convolution with a group a sample; `products`, the same with
1x1 kernels as batched products of matrices; `channels`, the experts as channels of one convolution, then the weighted sum,
where the layer can be computed so.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

EXPERTS = 4
SMALL = [
    *((3, 16, 16, True, "RE", 2), (3, 72, 24, False, "RE", 2), (3, 88, 24, False, "RE", 1), (5, 96, 40, True, "HS", 2)),
    *((5, 240, 40, True, "HS", 1), (5, 240, 40, True, "HS", 1), (5, 120, 48, True, "HS", 1), (5, 144, 48, True, "HS", 1)),
    *((5, 288, 96, True, "HS", 2), (5, 576, 96, True, "HS", 1), (5, 576, 96, True, "HS", 1)),
]
V2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def round_channels(value):
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


class Site:
    """A convolution's place and sizes."""

    def __init__(self, role, stage, block, inputs, outputs, kernel=1, stride=1, groups=1):
        self.role, self.stage, self.block, self.inputs, self.outputs = role, stage, block, inputs, outputs
        self.kernel, self.stride, self.groups = kernel, stride, groups


def per_sample(x, kernels, site, formulation):
    """Each sample with its own kernel, [B, O, C/groups, k, k]."""
    (batch, channels, height, width), (_, out, *inner) = x.shape, kernels.shape
    options = {"stride": site.stride, "padding": site.kernel // 2}
    if batch == 1:
        return F.conv2d(x, kernels[0], groups=site.groups, **options)
    if formulation == "products" and site.kernel == 1 and site.groups == 1:
        x = x[:, :, :: site.stride, :: site.stride]
        return torch.bmm(kernels.flatten(2), x.flatten(2)).view(batch, out, *x.shape[2:])
    y = F.conv2d(
        x.reshape(1, batch * channels, height, width),
        *(kernels.reshape(batch * out, *inner),),
        groups=batch * site.groups,
        **options,
    )
    return y.view(batch, out, *y.shape[2:])


def mixed(x, attention, weight, site, formulation):
    """Each sample with a mixture of experts, [K, O, C/groups, k, k]."""
    experts, out, *inner = weight.shape
    if formulation != "channels":
        kernels = (attention @ weight.flatten(1)).view(-1, out, *inner)
        return per_sample(x, kernels, site, formulation)
    stacked = weight.transpose(0, 1).reshape(out * experts, *inner)
    y = F.conv2d(x, stacked, stride=site.stride, padding=site.kernel // 2, groups=site.groups)
    y = y.view(len(x), out, experts, *y.shape[2:])
    return (y * attention[:, None, :, None, None]).sum(2)


class Norm1d(nn.BatchNorm1d):
    """Batch norm that uses its running statistics on one sample, as dyconv does."""

    def forward(self, x):
        batch = self.training and len(x) > 1
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, batch, self.momentum, self.eps)


class DyConv(nn.Module):
    def __init__(self, site, formulation):
        super().__init__()
        self.site, self.formulation = site, formulation
        hidden = max(site.inputs // 4, 1)
        self.routing = nn.Sequential(nn.Linear(site.inputs, hidden), nn.ReLU(), nn.Linear(hidden, EXPERTS))
        self.weight = nn.Parameter(kernels(site, EXPERTS))

    def forward(self, x):
        attention = self.routing(x.mean((2, 3))).softmax(1)
        return mixed(x, attention, self.weight, self.site, self.formulation)


class ODConv(nn.Module):
    def __init__(self, site, formulation):
        super().__init__()
        self.site, self.formulation = site, formulation
        width = max(site.inputs // 16, 16)
        self.squeeze = nn.Sequential(nn.Linear(site.inputs, width, bias=False), Norm1d(width), nn.ReLU())
        depthwise = site.groups == site.inputs == site.outputs
        self.channel = nn.Linear(width, site.inputs)
        self.filter = None if depthwise else nn.Linear(width, site.outputs)
        self.spatial = nn.Linear(width, site.kernel**2) if site.kernel > 1 else None
        self.kernel = nn.Linear(width, EXPERTS)
        self.weight = nn.Parameter(kernels(site, EXPERTS))

    def forward(self, x):
        h = self.squeeze(x.mean((2, 3)))
        attention = self.kernel(h).softmax(1)
        x = x * self.channel(h).sigmoid()[:, :, None, None]
        if self.spatial is None:
            y = mixed(x, attention, self.weight, self.site, self.formulation)
        else:
            mixture = (attention @ self.weight.flatten(1)).view(len(x), *self.weight.shape[1:])
            spatial = self.spatial(h).sigmoid().view(-1, 1, 1, *self.weight.shape[3:])
            y = per_sample(x, mixture * spatial, self.site, self.formulation)
        return y if self.filter is None else y * self.filter(h).sigmoid()[:, :, None, None]


class Warehouse:
    """Cells that the convolutions of some sites share."""

    def __init__(self, sites):
        self.outs = math.gcd(*(site.outputs for site in sites))
        self.ins = math.gcd(*(site.inputs // site.groups for site in sites))
        pieces = [self.pieces(site) for site in sites]
        self.cells = nn.Parameter(torch.randn(sum(pieces), self.outs * self.ins) * math.sqrt(2 / self.outs))

    def pieces(self, site):
        return site.kernel**2 * (site.outputs // self.outs) * (site.inputs // site.groups // self.ins)


class WarehouseConv(nn.Module):
    def __init__(self, site, warehouse, formulation):
        super().__init__()
        self.site, self.warehouse, self.formulation = site, warehouse, formulation
        self.cells = warehouse.cells
        width = max(site.inputs // 16, 16)
        self.squeeze = nn.Sequential(nn.Linear(site.inputs, width, bias=False), Norm1d(width), nn.ReLU())
        self.mix = nn.Linear(width, warehouse.pieces(site) * (len(self.cells) + 1))

    def forward(self, x):
        site, outs, ins = self.site, self.warehouse.outs, self.warehouse.ins
        z = self.mix(self.squeeze(x.mean((2, 3)))).view(len(x), -1, len(self.cells) + 1)
        attention = (z / (z.abs().sum(2, keepdim=True) + 1e-3))[:, :, :-1]
        blocks = (site.outputs // outs, site.inputs // site.groups // ins)
        cells = (attention.flatten(0, 1) @ self.cells).view(len(x), site.kernel**2, *blocks, outs, ins)
        # Taps inwards, output channels of a cell beside its block, input channels alike.
        whole = cells.permute(0, 2, 4, 3, 5, 1).reshape(len(x), site.outputs, -1, site.kernel, site.kernel)
        return per_sample(x, whole, site, self.formulation)


def kernels(site, experts):
    shape = (experts, site.outputs, site.inputs // site.groups, site.kernel, site.kernel)
    return torch.randn(shape) * math.sqrt(2 / (site.outputs * site.kernel**2))


def makers(sites, dynamic, formulation, warehouse_of, chosen):
    """The module of each site."""
    made = {}
    if dynamic == "kernel-warehouse":
        shared = {}
        for site in filter(chosen, sites):
            shared.setdefault(warehouse_of(site), []).append(site)
        for members in shared.values():
            warehouse = Warehouse(members)
            made.update({site: WarehouseConv(site, warehouse, formulation) for site in members})
    elif dynamic != "none":
        layer = {"dyconv": DyConv, "odconv": ODConv}[dynamic]
        made = {site: layer(site, formulation) for site in sites if chosen(site)}
    for site in sites:
        if site not in made:
            padding = site.kernel // 2
            made[site] = nn.Conv2d(
                site.inputs, site.outputs, site.kernel, site.stride, padding, groups=site.groups, bias=False
            )
    return made


class Residual(nn.Module):
    def __init__(self, body, shortcut=None, after=None):
        super().__init__()
        self.body, self.shortcut, self.after = body, shortcut or nn.Identity(), after or nn.Identity()

    def forward(self, x):
        return self.after(self.body(x) + self.shortcut(x))


def resnet18(dynamic, formulation, cifar, classes):
    stem = Site("stem", 0, 0, 3, 64, *((3, 1) if cifar else (7, 2)))
    blocks, channels = [], 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in (1, 2):
            stride = 2 if stage > 1 and block == 1 else 1
            first = Site("convolution", stage, block, channels, width, 3, stride)
            second = Site("convolution", stage, block, width, width, 3)
            shortcut = Site("downsample", stage, block, channels, width, 1, stride) if stride == 2 else None
            blocks.append((first, second, shortcut))
            channels = width
    entering = lambda site: site.role == "downsample" or site.stride == 2
    chosen = lambda site: site.role == "convolution" or (site.role == "downsample" and dynamic != "odconv")
    sites = [stem, *(site for block in blocks for site in block if site)]
    made = makers(sites, dynamic, formulation, lambda site: site.stage - entering(site), chosen)
    norm = lambda site: (made[site], nn.BatchNorm2d(site.outputs))
    body = [
        Residual(
            nn.Sequential(*norm(first), nn.ReLU(), *norm(second)),
            nn.Sequential(*norm(shortcut)) if shortcut else None,
            nn.ReLU(),
        )
        for first, second, shortcut in blocks
    ]
    pool = [] if cifar else [nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*norm(stem), nn.ReLU(), *pool, *body, *head(512, classes))


def head(channels, classes):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)


class SqueezeExcitation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        squeezed = round_channels(channels // 4)
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))))


def inverted(stage, block, inputs, expanded, outputs, kernel, stride):
    expand = Site("expand", stage, block, inputs, expanded) if expanded != inputs else None
    depthwise = Site("depthwise", stage, block, expanded, expanded, kernel, stride, expanded)
    return expand, depthwise, Site("project", stage, block, expanded, outputs)


def mobilenet_v2(dynamic, formulation, classes):
    stem, blocks, channels = Site("stem", 0, 0, 3, 32, 3, 2), [], 32
    for stage, (expansion, outputs, repeats, first) in enumerate(V2, 1):
        for block in range(1, repeats + 1):
            stride = first if block == 1 else 1
            blocks.append((inverted(stage, block, channels, expansion * channels, outputs, 3, stride), False, nn.ReLU6))
            channels = outputs

    def warehouse_of(site):
        if site.role == "stem":
            return "stem"
        stage = 6 if site.stage > 6 else site.stage - (site.block == 1 and site.stage > 1)
        return f"{site.role == 'depthwise'}{stage}"

    last = Site("last", 8, 0, 320, 1280)
    static = {"dyconv": ("stem", "last"), "odconv": ("stem",)}.get(dynamic, ())
    chosen = lambda site: site.role not in static
    tail = nn.Dropout(0.2), nn.Linear(1280, classes)
    return mobile(stem, blocks, last, nn.ReLU6, {}, (dynamic, formulation, warehouse_of, chosen), tail)


def mobilenet_v3_small(dynamic, formulation, classes):
    stem, blocks, channels, stage, block = Site("stem", 0, 0, 3, 16, 3, 2), [], 16, 0, 0
    for kernel, expanded, outputs, excited, activation, stride in SMALL:
        stage, block = (stage + 1, 1) if outputs != channels or stage == 0 else (stage, block + 1)
        sites = inverted(stage, block, channels, expanded, outputs, kernel, stride)
        blocks.append((sites, excited, nn.ReLU if activation == "RE" else nn.Hardswish))
        channels = outputs

    def warehouse_of(site):
        inside = site.inputs if site.role == "project" else site.outputs
        return f"{site.role}{site.stage}_{inside}" if site.block else site.role

    chosen = lambda site: dynamic == "kernel-warehouse" or site.role != "stem"
    last = Site("last", stage + 1, 0, channels, 6 * channels)
    tail = nn.Linear(576, 1024), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1024, classes)
    norm = {"momentum": 0.01, "eps": 1e-3}
    return mobile(stem, blocks, last, nn.Hardswish, norm, (dynamic, formulation, warehouse_of, chosen), tail)


def mobile(stem, blocks, last, activation, norm, dynamic, tail):
    sites = [stem, *(site for block, _, _ in blocks for site in block if site), last]
    made = makers(sites, *dynamic)
    with_norm = lambda site, *after: (made[site], nn.BatchNorm2d(site.outputs, **norm), *(act() for act in after))
    layers = [*with_norm(stem, activation)]
    for (expand, depthwise, project), excited, act in blocks:
        body = nn.Sequential(
            *(with_norm(expand, act) if expand else ()),
            *with_norm(depthwise, act),
            *([SqueezeExcitation(depthwise.outputs)] if excited else []),
            *with_norm(project),
        )
        first = expand or depthwise
        same = depthwise.stride == 1 and first.inputs == project.outputs
        layers.append(Residual(body) if same else body)
    return nn.Sequential(*layers, *with_norm(last, activation), nn.AdaptiveAvgPool2d(1), nn.Flatten(), *tail)


def build(name, formulation, classes):
    """A network by dyconv's name and, after a slash, its dynamic layer."""
    network, _, dynamic = name.partition("/")
    dynamic = dynamic or "none"
    if network == "mobilenet-v2":
        return mobilenet_v2(dynamic, formulation, classes)
    if network == "mobilenet-v3-small":
        return mobilenet_v3_small(dynamic, formulation, classes)
    return resnet18(dynamic, formulation, network.endswith("cifar"), classes)
