"""Full-batch gradient descent at the edge of stability.

The sharpness is the largest eigenvalue of the Hessian of the loss. Where it is above 2
/ alpha, a step along its eigenvector overshoots. It grows during the training until it
hovers at 2 / alpha, while the loss rises and falls and is smaller in the long run
(Cohen and others, 2021, arXiv 2103.00065).
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

import fastgd
from fastgd import plots

x = np.linspace(-1, 1, 20)[:, None]
y = 8 * x**4 - 8 * x**2 + 1  # a Chebyshev polynomial
network = {"hidden_size": 40, "activation": "tanh", "output": "identity", "bias": True}
# Returns the loss and its gradient:
loss = fastgd.objective(x, y, reduction="mean", **network)


def sharpness(w):
    """The largest eigenvalue of the Hessian at w, by Lanczos' method."""

    def hessian_times(v):  # from a difference of gradients
        step = 1e-5 / np.linalg.norm(v)
        return (loss(w + step * v)[1] - loss(w - step * v)[1]) / (2 * step)

    hessian = LinearOperator(
        (w.size, w.size), lambda v: hessian_times(v.ravel()), dtype=float
    )
    return eigsh(hessian, k=1, which="LA", tol=1e-3, v0=np.ones(w.size))[0][0]


figure, (above, below) = plt.subplots(
    2, 1, sharex=True, figsize=(7, 6), layout="constrained"
)
for k, alpha in enumerate([0.1, 0.2, 0.4]):
    run = fastgd.train(
        x,
        y,
        alpha=alpha,
        reduction="mean",
        init="glorot",
        iterations=round(2000 / alpha),
        record_every=round(10 / alpha) + 1,  # odd: oscillations have a period of 2
        record_weights=True,
        **network,
    )
    sharp = []
    for record in range(len(run.recorded)):
        layers = zip(run.recorded_weights, run.recorded_biases, strict=True)
        parts = [part[record].ravel() for layer in layers for part in layer]
        sharp.append(sharpness(np.concatenate(parts)))
    time = alpha * run.recorded
    above.plot(time, sharp, f"C{k}")
    above.axhline(2 / alpha, color=f"C{k}", linestyle="--", linewidth=1)
    below.semilogy(time, run.losses, f"C{k}", label=f"alpha {alpha}")
above.set(
    ylabel="sharpness (dashed: 2 / alpha)", title="The sharpness grows up to 2 / alpha"
)
below.set(xlabel="alpha x iteration", ylabel="loss")
below.legend(loc="lower left")
plots.write(figure, "edge-of-stability.png")
