"""A second opinion on generated clips, by a judge that shares nothing with the product: PyTorch instead of models/nn, power
mel spectrograms with a hop and a floor of their own instead of models/frontend, another network, another split.

    python judge.py --real DIR --clips DIR [--clips DIR ...] [--judge judge.pt] [--tstr]

Clips are WAV files named LABEL_anything.wav. A tenth of the real ones, the last by a hash of their names, is held out; the
judge learns from the others. For every folder of clips it prints label accuracy, inception score and Frechet distance as
ratios to those of the held-out real clips, and the 5 % quantile of the distance to the nearest training clip in units of
the held-out clips' median ("nearest", beside that of the held-out clips themselves): far below theirs means repetition.
--tstr also trains a judge on the folder's clips alone and tests it on the held-out real ones.
It needs torch, librosa, soundfile and scipy."""
import argparse, hashlib, math, os, pathlib

import librosa, numpy as np, soundfile, torch
import torch.nn.functional as F
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from torch import nn

SECONDS, BANDS, SEED = 1.024, 40, 7


def load(path, rate):
    x, r = soundfile.read(path, dtype="float32")
    if x.ndim > 1:
        x = x.mean(1)
    if r != rate:
        x = librosa.resample(x, orig_sr=r, target_sr=rate)
    peak = np.abs(x).max()
    y = np.zeros(int(SECONDS * rate), np.float32)
    if peak > 0:
        loud = np.flatnonzero(np.abs(x) > 0.01 * peak)
        x = x[loud[0]:loud[-1] + 1][:len(y)] / peak
        y[:len(x)] = x
    return y


def folder(path, rate, names=None):
    files = sorted(pathlib.Path(path).rglob("*.wav"))
    labels = [f.name.split("_")[0] for f in files]
    names = names or sorted(set(labels))
    waves = torch.tensor(np.stack([load(f, rate) for f in files]))
    return files, waves, torch.tensor([names.index(l) for l in labels]), names


class Net(nn.Module):
    def __init__(self, rate, labels, width=24):
        super().__init__()
        self.n_fft = 2 ** round(math.log2(0.064 * rate))
        self.hop = int(0.0125 * rate)
        self.register_buffer("window", torch.hann_window(self.n_fft))
        self.register_buffer("mel", torch.tensor(librosa.filters.mel(sr=rate, n_fft=self.n_fft, n_mels=BANDS, fmin=50)))
        layers, channels = [nn.Conv2d(1, width, 5, 2, 2), nn.BatchNorm2d(width), nn.ReLU()], width
        for out in (2 * width, 4 * width, 4 * width):
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
            channels = out
        self.norm, self.body = nn.BatchNorm2d(1), nn.Sequential(*layers)
        self.drop, self.out = nn.Dropout(0.3), nn.Linear(channels, labels)

    def features(self, x):
        s = torch.stft(x, self.n_fft, self.hop, window=self.window, return_complex=True).abs() ** 2
        return self.body(self.norm(torch.log(self.mel @ s + 1e-3)[:, None])).mean((2, 3))

    def forward(self, x):
        return self.out(self.drop(self.features(x)))


def augment(x, rng, rate):
    shift = torch.randint(-rate // 20, rate // 10, (len(x),), generator=rng)
    moved = torch.zeros_like(x)
    for i, s in enumerate(shift.tolist()):
        moved[i, max(s, 0):len(x[i]) + min(s, 0)] = x[i, max(-s, 0):len(x[i]) - max(s, 0)]
    moved *= 10 ** (torch.empty(len(x), 1).uniform_(-8, 0, generator=rng) / 20)
    return moved + torch.randn(moved.shape, generator=rng) * 10 ** torch.empty(len(x), 1).uniform_(-4.5, -2.2, generator=rng)


def train(x, y, rate, labels, steps=600):
    torch.manual_seed(SEED)
    rng = torch.Generator().manual_seed(SEED)
    net = Net(rate, labels)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(x), (64,), generator=rng)
        loss = F.cross_entropy(net(augment(x[batch], rng, rate)), y[batch], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def hear(net, x):
    features = torch.cat([net.features(part) for part in x.split(128)])
    return features.double().numpy(), torch.softmax(net.out(features).double(), 1).numpy()


def inception(p):
    return math.exp((p * (np.log(p + 1e-12) - np.log(p.mean(0) + 1e-12))).sum(1).mean())


def frechet(a, b):
    ca, cb = np.cov(a.T) + 1e-6 * np.eye(a.shape[1]), np.cov(b.T) + 1e-6 * np.eye(a.shape[1])
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--real", required=True)
    args.add_argument("--clips", action="append", default=[])
    args.add_argument("--judge", help="file to keep the trained judge in")
    args.add_argument("--rate", type=int, help="Hz; default that of the first real clip")
    args.add_argument("--tstr", action="store_true")
    o = args.parse_args()
    rate = o.rate or soundfile.info(str(next(pathlib.Path(o.real).rglob("*.wav")))).samplerate
    files, x, y, names = folder(o.real, rate)
    held = torch.tensor([hashlib.sha256(f.name.encode()).digest()[0] < 26 for f in files])
    if o.judge and os.path.exists(o.judge):
        net = Net(rate, len(names))
        net.load_state_dict(torch.load(o.judge))
        net.eval()
    else:
        net = train(x[~held], y[~held], rate, len(names))
        if o.judge:
            torch.save(net.state_dict(), o.judge)
    (known, _), (fresh, p) = hear(net, x[~held]), hear(net, x[held])
    accuracy, score = (p.argmax(1) == y[held].numpy()).mean(), inception(p)
    base, gaps = frechet(known, fresh), cdist(fresh, known).min(1)
    print(f"real, held out: {held.sum()} clips, accuracy {accuracy:.3f}, nearest {np.quantile(gaps, .05) / np.median(gaps):.2f}")
    for path in o.clips:
        _, g, labels, _ = folder(path, rate, names)
        features, q = hear(net, g)
        rng, n = np.random.default_rng(SEED), min(len(g), len(fresh))
        distance = np.mean([frechet(known, features[rng.permutation(len(g))[:n]]) for _ in range(5)])
        near = np.quantile(cdist(features, known).min(1), 0.05) / np.median(gaps)
        line = f"{path}: {len(g)} clips, accuracy {(q.argmax(1) == labels.numpy()).mean():.3f}, IS ratio {inception(q) / score:.3f}, "
        line += f"Frechet ratio {distance / base:.2f}, nearest {near:.2f}"
        if o.tstr:
            own = train(g, labels, rate, len(names))
            line += f", trained on it {(hear(own, x[held])[1].argmax(1) == y[held].numpy()).mean() / accuracy:.3f} of real"
        print(line, flush=True)


if __name__ == "__main__":
    main()
