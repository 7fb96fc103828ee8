"""Writes reference.json: inputs, and what NumPy, SciPy and scikit-learn compute from them.

Run: python3 reference.py > reference.json   (made with numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1)
"""

import json

import numpy as np
from scipy import linalg, optimize, special, stats
from sklearn.metrics import confusion_matrix, log_loss, pairwise
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

rng = np.random.default_rng(1)
D, K = 6, 4
mix = rng.normal(size=(D, D))
x = np.round(rng.normal(size=(70, D)) @ mix, 4)
y = np.round(rng.normal(size=(50, D)) @ mix * 1.3 + 0.5, 4)
few = np.round(rng.normal(size=(4, D)), 4)  # fewer clips than features: a singular covariance
logits = np.round(3 * rng.normal(size=(60, K)), 4)
labels = np.where(rng.random(60) < 0.7, logits.argmax(1), rng.integers(0, K, 60))
heard = logits.argmax(1)
p = special.softmax(logits, axis=1)
groups = rng.integers(0, 3, size=len(x))
shares = np.array([0.1, 0.2, 0.3, 0.4])


def frechet(a, b):
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * linalg.sqrtm(ca @ cb).real)


def kid(a, b):
    aa, bb = (pairwise.polynomial_kernel(v, degree=3, gamma=1 / D, coef0=1) for v in (a, b))
    m, n = len(a), len(b)
    cross = pairwise.polynomial_kernel(a, b, degree=3, gamma=1 / D, coef0=1).mean()
    return (aa.sum() - np.trace(aa)) / (m * (m - 1)) + (bb.sum() - np.trace(bb)) / (n * (n - 1)) - 2 * cross


def two_sample(a, b):
    z, side = np.concatenate([a, b]), np.arange(len(a) + len(b)) < len(a)
    right = []
    for i in range(len(z)):
        keep = np.arange(len(z)) != i
        right.append(KNeighborsClassifier(1).fit(z[keep], side[keep]).predict(z[i : i + 1])[0] == side[i])
    return [float(np.mean(right[: len(a)])), float(np.mean(right[len(a) :]))]


def diversity(a, groups):
    return np.mean([stats.describe(linalg.norm(a[groups == g][:, None] - a[groups == g][None], axis=-1)[~np.eye((groups == g).sum(), dtype=bool)]).mean for g in np.unique(groups)])


def memorise(gen, held, train):
    near = NearestNeighbors(n_neighbors=1).fit(train)
    return np.quantile(near.kneighbors(gen)[0], 0.05) / np.median(near.kneighbors(held)[0])


def temperature(logits, labels):
    n = len(labels)
    target = np.full(logits.shape, (1 - (n + 1) / (n + 2)) / (K - 1))
    target[np.arange(n), labels] = (n + 1) / (n + 2)
    loss = lambda t: -(target * special.log_softmax(logits / np.exp(t), axis=1)).sum(1).mean()
    return np.exp(optimize.minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10}).x)


def calibration_error(p, labels, bins):
    confidence, right = p.max(1), p.argmax(1) == labels
    e, edges = 0.0, np.linspace(0, 1, bins + 1)
    for lo, hi in zip(edges[:-1], edges[1:]):
        inside = (confidence > lo) & (confidence <= hi)
        if inside.any():
            e += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return e


def different(a, b):
    a, b = np.array(a), np.array(b)
    count = 0
    for u, v in zip(a, b):
        table = [[u, a.sum() - u], [v, b.sum() - v]]
        if u + v > 0:
            count += stats.chi2_contingency(table, correction=False).pvalue < 0.05
    return count / len(a)


counts = [[30, 50, 20, 0, 7, 100], [20, 55, 41, 0, 1, 90]]
marginal = p.mean(0)
kl = np.array([[stats.entropy(p[i], p[j]) for j in range(len(p))] for i in range(len(p))])
print(json.dumps({
    "x": x.tolist(), "y": y.tolist(), "few": few.tolist(), "logits": logits.tolist(), "labels": labels.tolist(),
    "groups": groups.tolist(), "shares": shares.tolist(), "counts": counts,
    "softmax_2": special.softmax(logits / 2, axis=1)[0].tolist(),
    "confusion": confusion_matrix(labels, heard).tolist(), "accuracy": float((labels == heard).mean()),
    "frechet": frechet(x, y), "frechet_few": frechet(x, few), "kid": kid(x, y),
    "two_sample": two_sample(x[:50], y), "diversity": float(diversity(x, groups)),
    "memorisation": float(memorise(y, x[:20], x[20:])), "different": different(*counts),
    "inception": float(np.exp(np.mean([stats.entropy(row, marginal) for row in p]))),
    "modified_inception": float(np.exp(kl.mean())),
    "am": float(stats.entropy(shares, marginal) + stats.entropy(p, axis=1).mean()),
    "temperature": float(temperature(logits, labels)), "log_loss": float(log_loss(labels, p)),
    "calibration_error": float(calibration_error(p, labels, 15)),
}))
