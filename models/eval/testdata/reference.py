"""Writes reference.json: features, probabilities and the figures numpy and scipy compute from them.

Run: python3 reference.py > reference.json   (numpy and scipy)
"""
import json
import numpy as np
from scipy import linalg

rng = np.random.default_rng(1)
D = 5
mix = rng.normal(size=(D, D))
a = np.round(rng.normal(size=(60, D)) @ mix, 4)
b = np.round(rng.normal(size=(50, D)) @ mix * 1.3 + 0.5, 4)
logits = 2 * rng.normal(size=(40, 4))
p = np.round(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 6)
p[:, -1] = 1 - p[:, :-1].sum(1)
labels = rng.integers(0, 3, size=60)


def frechet(x, y):
    root = linalg.sqrtm(np.cov(x, rowvar=False) @ np.cov(y, rowvar=False))
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(np.cov(x, rowvar=False) + np.cov(y, rowvar=False) - 2 * root.real)


def kid(x, y):
    k = lambda u, v: (u @ v.T / D + 1) ** 3
    xx, yy, m, n = k(x, x), k(y, y), len(x), len(y)
    return (xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1)) - 2 * k(x, y).mean()


def one_nn(x, y):
    z = np.concatenate([x, y])
    d = ((z[:, None] - z[None]) ** 2).sum(-1)
    np.fill_diagonal(d, np.inf)
    side = np.arange(len(z)) < len(x)
    right = side[d.argmin(1)] == side
    return [right.mean(), right[: len(x)].mean(), right[len(x):].mean()]


def diversity(x, l):
    out = []
    for c in np.unique(l):
        g = x[l == c]
        d = np.sqrt(((g[:, None] - g[None]) ** 2).sum(-1))
        out.append(d.sum() / (len(g) * (len(g) - 1)))
    return np.mean(out)


kl = lambda u, v: (u * np.log(u / v)).sum(-1)
print(json.dumps({
    "a": a.tolist(), "b": b.tolist(), "p": p.tolist(), "labels": labels.tolist(),
    "frechet": frechet(a, b), "kid": kid(a, b), "one_nn": one_nn(a, b), "diversity": diversity(a, labels),
    "inception": float(np.exp(kl(p, p.mean(0)[None]).mean())),
    "modified_inception": float(np.exp(kl(p[:, None], p[None]).mean())),
}))
