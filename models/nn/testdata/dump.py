#!/usr/bin/env python3
"""Writes what PyTorch makes of three small networks: the reference for reference_test.go.

Each NAME.safetensors holds the initial weights (w/...), the inputs (in/...), the output, the loss, the
gradient of every parameter (g/...), the losses of ten optimiser steps and the running statistics after
them (s/...), with the names and layouts of package nn. Needs torch and safetensors:

    python3 dump.py [DIRECTORY]
"""
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

B, SIZE, LABELS, Z, EMBED = 4, 16, 5, 6, 3
CHANNELS = [1, 5, 8]  # odd sizes on purpose
torch.set_default_dtype(torch.float64)  # the reference is exact; what is compared with it is float32


class Film(nn.Module):
    """Batch norm without an affine part, then scale and shift from a condition."""

    def __init__(self, channels, condition):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale, self.shift = nn.Linear(condition, channels), nn.Linear(condition, channels)

    def forward(self, h, c):
        return self.norm(h) * (1 + self.scale(c))[:, :, None, None] + self.shift(c)[:, :, None, None]


class Encoder(nn.Module):
    def __init__(self, out, spectral):
        super().__init__()
        norm = nn.utils.parametrizations.spectral_norm if spectral else lambda m: m
        self.conv1 = norm(nn.Conv2d(CHANNELS[0], CHANNELS[1], 4, 2, 1))
        self.conv2 = norm(nn.Conv2d(CHANNELS[1], CHANNELS[2], 4, 2, 1))
        self.dense = nn.Linear(CHANNELS[2] * 16, out)

    def forward(self, x):
        h = F.leaky_relu(self.conv1(x), 0.2)
        h = F.leaky_relu(self.conv2(h), 0.2)
        return self.dense(h.flatten(1))


class Generator(nn.Module):
    def __init__(self, film):
        super().__init__()
        self.film = film
        self.label = nn.Embedding(LABELS, EMBED)
        self.dense = nn.Linear(Z + EMBED, 16 * CHANNELS[2], bias=False)
        self.norm0 = nn.BatchNorm2d(CHANNELS[2])
        self.up1 = nn.ConvTranspose2d(CHANNELS[2], CHANNELS[1], 4, 2, 1, bias=False)
        self.norm1 = Film(CHANNELS[1], EMBED) if film else nn.BatchNorm2d(CHANNELS[1])
        self.up2 = nn.ConvTranspose2d(CHANNELS[1], CHANNELS[0], 4, 2, 1)

    def forward(self, z, y):
        e = self.label(y)
        h = self.dense(torch.cat([z, e], 1)).view(-1, CHANNELS[2], 4, 4)
        h = F.relu(self.norm0(h))
        h = self.up1(h)
        h = F.relu(self.norm1(h, e) if self.film else self.norm1(h))
        return torch.tanh(self.up2(h))


def ours(module, name, p):
    """A parameter in the layout of package nn."""
    kind = type(module).__name__.replace("Parametrized", "")
    p = p.detach().clone()  # the optimiser changes the original
    if kind == "Conv2d" and p.dim() == 4:
        return p.permute(2, 3, 1, 0)
    if kind == "ConvTranspose2d" and p.dim() == 4:
        return p.permute(2, 3, 1, 0)
    if kind == "Linear" and p.dim() == 2:
        out, into = p.shape
        if into == 16 * CHANNELS[2]:  # after a flattened image: [C, H, W] there, [H, W, C] here
            p = p.view(out, CHANNELS[2], 4, 4).permute(0, 2, 3, 1).reshape(out, into)
        if out == 16 * CHANNELS[2]:  # before one
            p = p.view(CHANNELS[2], 4, 4, into).permute(1, 2, 0, 3).reshape(out, into)
        return p.t()
    return p


LEAF = {"weight": "w", "bias": "b", "original": "w"}


def parameters(prefix, net):
    """Pairs of our name and the module and parameter it stands for."""
    for path, module in net.named_modules():
        kind = type(module).__name__
        if kind == "ParametrizationList":
            owner = path.split(".")[-3]
            yield f"{prefix}{owner}/w", dict(net.named_modules())[owner], module.original
            continue
        for leaf, p in module.named_parameters(recurse=False):
            name = path.replace("norm0", "dense").replace("norm1", "up1").replace(".", "/")
            leaf = {"weight": "gamma", "bias": "beta"}[leaf] if "BatchNorm" in kind else LEAF[leaf]
            yield f"{prefix}{name}/{leaf}", module, p


def statistics(prefix, net):
    for path, module in net.named_modules():
        if "BatchNorm" in type(module).__name__:
            name = path.replace("norm0", "dense").replace("norm1.norm", "up1").replace("norm1", "up1")
            yield f"{prefix}{name}/mean", module.running_mean
            yield f"{prefix}{name}/variance", module.running_var


def power(prefix, net):
    for path, module in net.named_modules():
        if type(module).__name__ == "_SpectralNorm":
            owner = path.split(".")[-4]
            kh = kw = 4
            cin = module._v.numel() // (kh * kw)
            yield f"{prefix}{owner}/u", module._u
            yield f"{prefix}{owner}/v", module._v.view(cin, kh, kw).permute(1, 2, 0).reshape(-1)


def dump(directory, name, nets, inputs, loss, optimiser, clip=None):
    out = {f"in/{k}": v for k, v in inputs.items()}
    params = [q for prefix, net, train in nets for q in parameters(prefix, net)]
    for n, m, p in params:
        out["w/" + n] = ours(m, n, p)
    for prefix, net, _ in nets:
        for n, u in power(prefix, net):
            out["w/" + n] = u.clone()
    value, result = loss()
    value.backward()
    out["loss"], out["output"] = value.detach().view(1), result.detach().permute(0, 2, 3, 1) if result.dim() == 4 else result.detach()
    for n, m, p in params:
        if p.grad is not None:
            out["g/" + n] = ours(m, n, p.grad)
    losses = []
    for step in range(10):
        if step > 0:
            optimiser.zero_grad(set_to_none=True)
            value, _ = loss()
            value.backward()
        losses.append(value.detach())
        if clip:
            torch.nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], clip)
        optimiser.step()
    out["losses"] = torch.stack(losses)
    for prefix, net, _ in nets:
        for n, s in statistics(prefix, net):
            out["s/" + n] = s
    path = pathlib.Path(directory) / f"{name}.safetensors"
    save_file({k: v.to(torch.float32).contiguous() for k, v in out.items()}, path)
    print(path, path.stat().st_size, "bytes, losses", [round(float(l), 5) for l in losses])


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def main(directory):
    torch.manual_seed(1)
    x = torch.rand(B, 1, SIZE, SIZE) * 2 - 1
    z, y = torch.randn(B, Z), torch.randint(0, LABELS, (B,))
    bce = F.binary_cross_entropy_with_logits

    d = Encoder(1, spectral=True)
    target = torch.tensor([[1.0], [0.0], [1.0], [0.9]])

    def dloss():
        logit = d(x)
        return bce(logit, target), logit

    dump(directory, "discriminator", [("", d, True)], {"x": nhwc(x), "target": target}, dloss,
         torch.optim.Adam(d.parameters(), 2e-3, betas=(0.5, 0.999)))

    g, d = Generator(film=False), Encoder(1, spectral=False).requires_grad_(False)

    def gloss():
        image = g(z, y)
        return bce(d(image), torch.ones(B, 1)), image

    dump(directory, "generator", [("g/", g, True), ("d/", d, False)], {"z": z, "label": y.double()}, gloss,
         torch.optim.Adam(g.parameters(), 2e-3, betas=(0.5, 0.999)))

    enc, dec = Encoder(2 * Z, spectral=False), Generator(film=True)
    eps = torch.randn(B, Z)

    def vloss():
        mean, logvar = enc(x).chunk(2, 1)
        image = dec(mean + (logvar / 2).exp() * eps, y)
        kl = ((logvar.exp() + mean**2 - 1 - logvar) / 2).mean(0).clamp_min(0.05).sum()
        return ((image - x) ** 2).sum() / 2 / B + 0.7 * kl, image

    params = [*enc.parameters(), *dec.parameters()]
    groups = [{"params": [p for p in params if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0}]
    dump(directory, "vae", [("enc/", enc, True), ("dec/", dec, True)],
         {"x": nhwc(x), "eps": eps, "label": y.double()}, vloss, torch.optim.AdamW(groups, 2e-3), clip=5.0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
