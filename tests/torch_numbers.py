"""PyTorch's numbers, kept in torch_numbers.json so that the tests compare without PyTorch.

    python tests/torch_numbers.py           write them, with the versions they are of
    python tests/torch_numbers.py --check   compare with those that are kept; exit 1 if one differs

It needs NumPy and PyTorch, and nothing of fastgd: what is compared is not known to it. All numbers
are float64, from inputs that are made here, the same every time.
"""

import argparse
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

KEPT = Path(__file__).with_name("torch_numbers.json")

POINTS = [0.0, 5e-324, 1e-300, 1e-8, 1e-3, 0.1, 0.5, 1.0, 1.5, 2.0, 3.5, 8.0, 20.0, 36.0, 40.0]
"""Inputs of units, with either sign; beyond these a sigmoid comes to 1."""

TARGETS = [0.0, 1.0, 2.0, 5.0]
OUTPUTS = [1e-6, 0.25, 0.999, 1.0, 1.75, 2.0, 3.5, 6.0]
"""Of losses: each target with each output."""

UPDATES = 250
LOOKS = (1, 2, 10, 50, 250)
"""Updates from given gradients, after some of which weights are kept."""

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "GradientDescent()": ("SGD", {}),
    "Momentum(momentum=0.9)": ("SGD", {"momentum": 0.9}),
    "Momentum(momentum=0.7)": ("SGD", {"momentum": 0.7}),
    "Nesterov(momentum=0.9)": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "Nesterov(momentum=0.8)": ("SGD", {"momentum": 0.8, "nesterov": True}),
    "AdaGrad(epsilon=1e-10)": ("Adagrad", {"eps": 1e-10}),
    "AdaGrad(epsilon=0.1)": ("Adagrad", {"eps": 0.1}),
    "AdaDelta(rho=0.9, epsilon=1e-06)": ("Adadelta", {"rho": 0.9, "eps": 1e-6}),
    "AdaDelta(rho=0.5, epsilon=0.001)": ("Adadelta", {"rho": 0.5, "eps": 1e-3}),
    "RMSProp(rho=0.99, epsilon=1e-08)": ("RMSprop", {"alpha": 0.99, "eps": 1e-8}),
    "RMSProp(rho=0.8, epsilon=0.001)": ("RMSprop", {"alpha": 0.8, "eps": 1e-3}),
    "Adam(beta1=0.9, beta2=0.999, epsilon=1e-08)": ("Adam", {"betas": (0.9, 0.999), "eps": 1e-8}),
    "Adam(beta1=0.5, beta2=0.9, epsilon=0.001)": ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3}),
    "AdamW(beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01)": (
        "AdamW",
        {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
    ),
    "AdamW(beta1=0.5, beta2=0.9, epsilon=0.001, weight_decay=0.5)": (
        "AdamW",
        {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.5},
    ),
    "Rprop(eta_minus=0.5, eta_plus=1.2, min_step=1e-06, max_step=50.0)": (
        "Rprop",
        {"etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)},
    ),
    "Rprop(eta_minus=0.3, eta_plus=1.05, min_step=0.0001, max_step=0.02)": (
        "Rprop",
        {"etas": (0.3, 1.05), "step_sizes": (1e-4, 0.02)},
    ),
}
"""Optimizers of fastgd, and what PyTorch calls them."""

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Step(step_size=7, factor=0.5)": ("StepLR", {"step_size": 7, "gamma": 0.5}),
    "Exponential(factor=0.97)": ("ExponentialLR", {"gamma": 0.97}),
    "Linear(steps=40, final_factor=0.1)": (
        "LinearLR",
        {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 40},
    ),
    "Cosine(steps=60, final_factor=0.25, warmup_steps=0)": (
        "CosineAnnealingLR",
        {"T_max": 60, "eta_min": 0.25},
    ),
}
SCHEDULED = 61
"""Updates of a schedule; after its last one PyTorch's cosine rises again."""

SIZES = (3, 5, 3)
"""Inputs and hidden units of the networks."""

LARGE: dict[str, dict[str, Any]] = {
    "100 units of sigmoid": {
        "hidden_size": (100,),
        "activation": "sigmoid",
        "output": "sigmoid",
        "optimizer": "Nesterov(momentum=0.8)",
    },
    "340 units of tanh, classes in batches": {
        "hidden_size": (300, 40),
        "activation": "tanh",
        "output": "softmax",
        "loss": "cross_entropy",
        "batch_size": 64,
        "optimizer": "Adam(beta1=0.5, beta2=0.9, epsilon=0.001)",
    },
    "1000 units of gelu, with a variance": {
        "hidden_size": (500, 300, 200),
        "activation": "gelu",
        "output": "identity",
        "loss": "gaussian",
        "optimizer": "RMSProp(rho=0.8, epsilon=0.001)",
    },
}
"""Networks that are trained, by the names of fastgd."""

RATES = (0.004, 0.002, 0.003)
"""Learning rates of the three layers of a small network of SIZES."""

NORMALIZED = [
    (name, samples)
    for name in ("Momentum(momentum=0.7)", "Adam(beta1=0.9, beta2=0.999, epsilon=1e-08)")
    for samples in (8, 4)
]
"""Optimizers of a small network with batch norm, and the samples of a batch."""

STEPS = 20
RATE = 0.002
PROBES = 11
"""Weights of each layer that are kept, all at the same distance."""


@cache
def samples() -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of the networks: those of tests/golden.py."""
    random = np.random.RandomState(8)
    return random.random_sample((8, 3)), random.random_sample((8, 2))


@cache
def weights() -> np.ndarray:
    """Weights of a network with two outputs, layer by layer and row by row."""
    count = sum(a * b for a, b in zip((*SIZES,), (*SIZES[1:], 2), strict=True))
    return np.random.RandomState(3).normal(size=count)


def small() -> list[np.ndarray]:
    """The initial weights of a network of SIZES with two outputs, layer by layer."""
    sizes = [*pairwise((*SIZES, 2))]
    ends = np.cumsum([a * b for a, b in sizes])
    parts = np.split(weights(), ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, sizes, strict=True)]


def large(name: str) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Inputs, targets and initial weights of a large network: the first updates stay small."""
    random, given = np.random.RandomState(11), LARGE[name]
    X, y = random.normal(size=(128, 10)), random.random_sample((128, 3))
    if given["output"] == "softmax":
        y /= y.sum(axis=1, keepdims=True)
    sizes = (10, *given["hidden_size"], 6 if given.get("loss") == "gaussian" else 3)
    return X, y, [random.normal(size=(a, b)) / np.sqrt(a) for a, b in pairwise(sizes)]


def probes(layers: list[np.ndarray]) -> list[list[float]]:
    """Some weights of each layer."""
    return [layer.ravel()[:: layer.size // PROBES][:PROBES].tolist() for layer in layers]


def gradients() -> list[np.ndarray]:
    """Gradients of all sizes, which change their signs."""
    random = np.random.RandomState(9)
    return [random.normal(size=(3, 2)) * 10 ** random.uniform(-4, 1) for _ in range(UPDATES)]


def units(torch: Any) -> dict[str, Any]:
    """Values and slopes of the activations, in the order of the points, negative ones first."""
    functional = torch.nn.functional
    known = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": functional.relu,
        "identity": torch.nn.Identity(),
        "softplus": lambda x: functional.softplus(x, threshold=1e9),
        "leaky_relu": lambda x: functional.leaky_relu(x, 0.01),
        "elu": lambda x: functional.elu(x, 1.0),
        "silu": functional.silu,
        "gelu": lambda x: functional.gelu(x, approximate="tanh"),
        "exp": torch.exp,
    }
    found = {}
    for name, unit in known.items():
        x = torch.tensor([-p for p in POINTS[::-1]] + POINTS, dtype=torch.float64)
        x.requires_grad_()
        value = unit(x)
        value.sum().backward()
        found[name] = {"value": value.tolist(), "slope": x.grad.tolist()}
    return found


def losses(torch: Any) -> dict[str, Any]:
    """Each loss of all targets and outputs, and its derivatives by the outputs."""
    nn = torch.nn
    known = {
        "squared": lambda y, v: 0.5 * nn.MSELoss(reduction="none")(v, y),
        "huber": lambda y, v: nn.HuberLoss(reduction="none", delta=1.0)(v, y),
        "absolute": lambda y, v: nn.L1Loss(reduction="none")(v, y),
        "poisson": lambda y, v: nn.PoissonNLLLoss(log_input=False, eps=0.0, reduction="none")(v, y),
    }
    found = {}
    y = torch.tensor(TARGETS, dtype=torch.float64).repeat_interleave(len(OUTPUTS))
    for name, loss in known.items():
        v = torch.tensor(OUTPUTS * len(TARGETS), dtype=torch.float64, requires_grad=True)
        value = loss(y, v)
        value.sum().backward()
        found[name] = {"value": value.tolist(), "slopes": [v.grad.tolist()]}
    v = torch.tensor(OUTPUTS * len(TARGETS), dtype=torch.float64, requires_grad=True)
    s = torch.tensor(OUTPUTS * len(TARGETS), dtype=torch.float64).flip(0).requires_grad_()
    value = nn.GaussianNLLLoss(reduction="none", eps=1e-300)(v, y, torch.exp(s))
    value.sum().backward()
    slopes = [v.grad.tolist(), s.grad.tolist()]
    found["gaussian"] = {"value": value.tolist(), "slopes": slopes}
    return found


def optimizers(torch: Any) -> dict[str, Any]:
    """Weights after some of the updates from given gradients, with a learning rate of 0.3."""
    found: dict[str, Any] = {}
    for name, (kind, options) in SETTINGS.items():
        tensor = torch.zeros((3, 2), dtype=torch.float64, requires_grad=True)
        descent = getattr(torch.optim, kind)([tensor], lr=0.3, **options)
        found[name] = []
        for update, g in enumerate(gradients(), 1):
            tensor.grad = torch.tensor(-g)
            descent.step()
            if update in LOOKS:
                found[name].append(tensor.tolist())
    return found


def schedules(torch: Any) -> dict[str, Any]:
    """Learning rates one after the other, from 1."""
    found: dict[str, Any] = {}
    for name, (kind, options) in SCHEDULERS.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = getattr(torch.optim.lr_scheduler, kind)(optimizer, **options)
        found[name] = []
        for _ in range(SCHEDULED):
            found[name].append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
    return found


def networks(torch: Any) -> dict[str, Any]:
    """Loss and derivative of whole networks, for the pairs of activation and loss of cases.py."""
    nn, functional = torch.nn, torch.nn.functional
    X, y = (torch.tensor(array) for array in samples())
    shares, first = y / y.sum(dim=1, keepdim=True), y[:, :1]

    def softplus(x: Any) -> Any:
        return functional.softplus(x, threshold=1e9)

    def quantile(z: Any) -> Any:
        return torch.maximum(0.3 * (y - z), (0.3 - 1) * (y - z)).sum()

    def gaussian(z: Any) -> Any:
        loss = nn.GaussianNLLLoss(reduction="sum", eps=1e-300)
        return loss(z[:, :1], first, torch.exp(z[:, 1:]))

    poisson = nn.PoissonNLLLoss(log_input=False, eps=0.0, reduction="sum")
    known = {
        "elu, absolute": (functional.elu, lambda z: nn.L1Loss(reduction="sum")(softplus(z), y)),
        "gelu, quantile": (lambda x: functional.gelu(x, approximate="tanh"), quantile),
        "silu, poisson": (functional.silu, lambda z: poisson(torch.exp(z), y)),
        "leaky_relu, gaussian": (functional.leaky_relu, gaussian),
        "tanh, softmax": (torch.tanh, lambda z: nn.CrossEntropyLoss(reduction="sum")(z, shares)),
        "softplus, huber": (softplus, lambda z: nn.HuberLoss(reduction="sum", delta=0.4)(z, y)),
        "functions of one's own": (
            lambda x: x * torch.sigmoid(2.0 * x),
            lambda z: torch.log(1 + ((y - torch.sigmoid(z)) / 0.3) ** 2).sum(),
        ),
    }
    found = {}
    for name, (hidden, loss) in known.items():
        flat = torch.tensor(weights(), requires_grad=True)
        x, at = X, 0
        for layer, (a, b) in enumerate(zip(SIZES, (*SIZES[1:], 2), strict=True)):
            x = x @ flat[at : at + a * b].reshape(a, b)
            at += a * b
            x = hidden(x) if layer < 2 else x
        value = loss(x)
        value.backward()
        found[name] = {"value": value.item(), "derivative": flat.grad.tolist()}
    return found


def biased(torch: Any) -> dict[str, Any]:
    """Weights and biases of a small network after 60 updates of each optimizer, in one row.

    With more, rounding grows by steps that have the derivative's sign, whatever its size.
    """
    X, y = (torch.tensor(array) for array in samples())
    found = {}
    for name, (kind, options) in SETTINGS.items():
        layers = [torch.tensor(layer, requires_grad=True) for layer in small()]
        biases = [torch.zeros(layer.shape[1], dtype=layer.dtype) for layer in layers]
        groups = [
            {"params": [layer, bias.requires_grad_()], "lr": rate}
            for layer, bias, rate in zip(layers, biases, RATES, strict=True)
        ]
        descent = getattr(torch.optim, kind)(groups, **options)
        for _ in range(60):
            x = X
            for layer, bias in zip(layers[:-1], biases[:-1], strict=True):
                x = torch.tanh(x @ layer + bias)
            x = torch.sigmoid(x @ layers[-1] + biases[-1])
            descent.zero_grad()
            (0.5 * ((y - x) ** 2).sum()).backward()
            descent.step()
        parts = zip(layers, biases, strict=True)
        found[name] = [
            number for both in parts for part in both for number in part.ravel().tolist()
        ]
    return found


def normalized(torch: Any) -> dict[str, Any]:
    """Errors before some of 60 updates, and what a network with batch norm has then, in one row."""
    nn = torch.nn
    X, y = (torch.tensor(array) for array in samples())
    found = {}
    for name, size in NORMALIZED:
        layers = [nn.Linear(*layer.shape, bias=False, dtype=X.dtype) for layer in small()]
        norms = [nn.BatchNorm1d(units, dtype=X.dtype) for units in SIZES[1:]]
        with torch.no_grad():
            for layer, start in zip(layers, small(), strict=True):
                layer.weight.copy_(torch.tensor(start.T))
        model = nn.Sequential(
            *(part for both in zip(layers, norms, strict=False) for part in (*both, nn.Tanh())),
            layers[-1],
            nn.Sigmoid(),
        )
        parts = [*zip(layers, norms, strict=False), (layers[-1],)]
        groups = [
            {"params": [p for module in part for p in module.parameters()], "lr": rate}
            for part, rate in zip(parts, RATES, strict=True)
        ]
        kind, options = SETTINGS[name]
        descent = getattr(torch.optim, kind)(groups, **options)
        errors = []
        for step in range(60):
            if step % 20 == 0:
                model.eval()
                errors.append((y - model(X)).abs().mean().item())
                model.train()
            rows = slice(begin := step * size % len(X), begin + size)
            descent.zero_grad()
            (0.5 * ((y[rows] - model(X[rows])) ** 2).sum()).backward()
            descent.step()
        kept = errors
        for layer in layers:
            kept += layer.weight.T.ravel().tolist()
        for norm in norms:
            for numbers in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                kept += numbers.tolist()
        found[f"{name}, {size} samples"] = kept
    return found


def trained(torch: Any) -> dict[str, Any]:
    """Some weights of large networks after some updates, by the mean loss of each batch."""
    nn, functional = torch.nn, torch.nn.functional
    activations = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": lambda x: functional.gelu(x, approximate="tanh"),
    }

    def gaussian(z: Any, y: Any) -> Any:
        loss = nn.GaussianNLLLoss(reduction="sum", eps=1e-300)
        return loss(z[:, :3], y, torch.exp(z[:, 3:]))

    losses = {
        "sigmoid": lambda z, y: 0.5 * nn.MSELoss(reduction="sum")(torch.sigmoid(z), y),
        "softmax": nn.CrossEntropyLoss(reduction="sum"),
        "identity": gaussian,
    }
    found = {}
    for name, given in LARGE.items():
        X, y, start = large(name)
        layers = [torch.tensor(layer, requires_grad=True) for layer in start]
        kind, options = SETTINGS[given["optimizer"]]
        descent = getattr(torch.optim, kind)(layers, lr=RATE, **options)
        size = given.get("batch_size", len(X))
        begins = range(0, len(X), size)
        for step in range(STEPS):
            rows = slice(begin := begins[step % len(begins)], begin + size)
            x = torch.tensor(X[rows])
            for layer in layers[:-1]:
                x = activations[given["activation"]](x @ layer)
            descent.zero_grad()
            loss = losses[given["output"]](x @ layers[-1], torch.tensor(y[rows]))
            (loss / len(x)).backward()
            descent.step()
        found[name] = probes([layer.detach().numpy() for layer in layers])
    return found


def numbers() -> dict[str, Any]:
    """All of them."""
    import torch

    torch.set_num_threads(1)
    return {
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "units": units(torch),
        "losses": losses(torch),
        "optimizers": optimizers(torch),
        "schedules": schedules(torch),
        "networks": networks(torch),
        "biased": biased(torch),
        "normalized": normalized(torch),
        "trained": trained(torch),
    }


def differences(kept: Any, new: Any, where: str = "") -> list[str]:
    """Where two of them are not the same; the versions may differ, and the last bits with them."""
    if isinstance(kept, dict):
        keys = (kept.keys() | new.keys()) - {"versions"}
        both = [(kept.get(key), new.get(key), f"{where}/{key}") for key in sorted(keys)]
        return [text for a, b, place in both for text in differences(a, b, place)]
    if kept is None or new is None:
        return [where]
    same = np.shape(kept) == np.shape(new) and np.allclose(kept, new, rtol=1e-12, atol=1e-300)
    return [] if same else [where]


def written(found: dict[str, Any]) -> str:
    """As JSON, a line for each name of each kind."""
    kinds = (
        f"{json.dumps(kind)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in part.items())
        + "\n}"
        for kind, part in found.items()
    )
    return "{\n" + ",\n".join(kinds) + "\n}\n"


def main(words: list[str] | None = None) -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare with what is kept")
    given = parser.parse_args(words)
    found = numbers()
    if given.check:
        different = differences(json.loads(KEPT.read_text()), found)
        parser.exit(bool(different), "\n".join(different))
    KEPT.write_text(written(found))


if __name__ == "__main__":
    main()
