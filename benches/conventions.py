"""First and second derivatives of PyTorch and JAX where functions have kinks, poles or ties.

Writes docs/conventions-peers.csv, which docs/conventions.md shows beside burlap's:

    python benches/conventions.py docs/conventions-peers.csv
"""

import csv
import math
import sys

import jax
import jax.numpy as jnp
import torch

jax.config.update("jax_enable_x64", True)

INF = math.inf


def constant(x, value):
    return torch.tensor(value, dtype=torch.float64) if isinstance(x, torch.Tensor) else jnp.float64(value)


def pair(x, value):
    """The vector [x, value]."""
    if isinstance(x, torch.Tensor):
        return torch.stack([x, constant(x, value)])
    return jnp.stack([x, constant(x, value)])


T, J = torch, jnp

# name, point, PyTorch, JAX; None where there is no such function.
CASES = [
    ("abs", 0.0, T.abs, J.abs),
    ("abs squared", 0.0, lambda x: T.abs(x) ** 2, lambda x: J.abs(x) ** 2),
    ("sign", 0.0, T.sign, J.sign),
    ("floor", 1.0, T.floor, J.floor),
    ("relu", 0.0, T.relu, jax.nn.relu),
    ("leaky_relu(0.1)", 0.0, lambda x: T.nn.functional.leaky_relu(x, 0.1), lambda x: jax.nn.leaky_relu(x, 0.1)),
    ("elu", 0.0, T.nn.functional.elu, jax.nn.elu),
    ("max(x, 0)", 0.0, lambda x: T.maximum(x, constant(x, 0.0)), lambda x: J.maximum(x, 0.0)),
    ("min(x, 0)", 0.0, lambda x: T.minimum(x, constant(x, 0.0)), lambda x: J.minimum(x, 0.0)),
    ("max over [x, 0]", 0.0, lambda x: T.amax(pair(x, 0.0)), lambda x: J.max(pair(x, 0.0))),
    ("clamp(0, 1)", 0.0, lambda x: T.clamp(x, 0.0, 1.0), lambda x: J.clip(x, 0.0, 1.0)),
    ("clamp(0, 1)", 1.0, lambda x: T.clamp(x, 0.0, 1.0), lambda x: J.clip(x, 0.0, 1.0)),
    ("sqrt", 0.0, T.sqrt, J.sqrt),
    ("sqrt squared", 0.0, lambda x: T.sqrt(x) ** 2, lambda x: J.sqrt(x) ** 2),
    ("rsqrt", 0.0, T.rsqrt, jax.lax.rsqrt),
    ("recip", 0.0, T.reciprocal, J.reciprocal),
    ("log", 0.0, T.log, J.log),
    ("log1p", -1.0, T.log1p, J.log1p),
    ("norm of [x, 0]", 0.0, lambda x: T.linalg.vector_norm(pair(x, 0.0)), lambda x: J.linalg.norm(pair(x, 0.0))),
    ("norm of [x, 0], squared", 0.0, lambda x: T.linalg.vector_norm(pair(x, 0.0)) ** 2,
     lambda x: J.linalg.norm(pair(x, 0.0)) ** 2),
    ("hypot(x, 0)", 0.0, lambda x: T.hypot(x, constant(x, 0.0)), lambda x: J.hypot(x, 0.0)),
    ("x^b, b = 0 as data", 0.0, lambda x: x ** constant(x, 0.0), lambda x: x ** J.asarray(0.0)),
    ("x^b, b = 1 as data", 0.0, lambda x: x ** constant(x, 1.0), lambda x: x ** J.asarray(1.0)),
    ("x^b, b = 2 as data", 0.0, lambda x: x ** constant(x, 2.0), lambda x: x ** J.asarray(2.0)),
    ("0^x", 0.0, lambda x: constant(x, 0.0) ** x, lambda x: J.float64(0.0) ** x),
    ("0^x", 1.0, lambda x: constant(x, 0.0) ** x, lambda x: J.float64(0.0) ** x),
    ("x log x by xlogy", 0.0, lambda x: T.xlogy(x, x), lambda x: jax.scipy.special.xlogy(x, x)),
    ("log Σ exp [x, −∞]", -INF, lambda x: T.logsumexp(pair(x, -INF), 0), lambda x: jax.nn.logsumexp(pair(x, -INF))),
    ("softmax of [x, −∞], first", -INF, lambda x: T.softmax(pair(x, -INF), 0)[0],
     lambda x: jax.nn.softmax(pair(x, -INF))[0]),
    ("log softmax of [x, −∞], first", -INF, lambda x: T.log_softmax(pair(x, -INF), 0)[0],
     lambda x: jax.nn.log_softmax(pair(x, -INF))[0]),
    ("x ≤ 0 ? eˣ : 1 + x", 1000.0, lambda x: T.where(x <= 0, T.exp(x), 1 + x),
     lambda x: J.where(x <= 0, J.exp(x), 1 + x)),
    ("x = 0 ? 1 : sin x / x", 0.0, lambda x: T.where(x == 0, 1.0, T.sin(x) / x),
     lambda x: J.where(x == 0, 1.0, J.sin(x) / x)),
    ("product of [x, 0, 0]", 0.0, lambda x: T.prod(T.cat([pair(x, 0.0), constant(x, 0.0)[None]])),
     lambda x: J.prod(J.append(pair(x, 0.0), 0.0))),
    ("logaddexp(x, 0)", 0.0, lambda x: T.logaddexp(x, constant(x, 0.0)), lambda x: J.logaddexp(x, 0.0)),
    ("logaddexp(x, −∞)", -INF, lambda x: T.logaddexp(x, constant(x, -INF)), lambda x: J.logaddexp(x, -INF)),
    ("max(x, 0) + log(1 + e^−|x|)", 0.0, lambda x: T.relu(x) + T.log1p(T.exp(-T.abs(x))),
     lambda x: jax.nn.relu(x) + J.log1p(J.exp(-J.abs(x)))),
    ("atan2(x, 0)", 0.0, lambda x: T.atan2(x, constant(x, 0.0)), lambda x: J.arctan2(x, 0.0)),
    ("asin", 1.0, T.asin, J.arcsin),
    ("acos", 1.0, T.acos, J.arccos),
    ("acosh", 1.0, T.acosh, J.arccosh),
    ("atanh", 1.0, T.atanh, J.arctanh),
]


def torch_derivatives(f, at):
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    first = torch.autograd.grad(f(x), x, create_graph=True)[0]
    if not first.requires_grad:
        return first.item(), 0.0
    second = torch.autograd.grad(first, x, allow_unused=True)[0]
    return first.item(), 0.0 if second is None else second.item()


def jax_derivatives(f, at):
    x = jnp.float64(at)
    return float(jax.grad(f)(x)), float(jax.grad(jax.grad(f))(x))


def text(x):
    """As Rust prints it."""
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.4g}".replace("-", "−")


def main():
    with open(sys.argv[1], "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["function", "at", f"PyTorch {torch.__version__.split('+')[0]}", f"JAX {jax.__version__}"])
        for name, at, in_torch, in_jax in CASES:
            both = [torch_derivatives(in_torch, at), jax_derivatives(in_jax, at)]
            out.writerow([name, text(at)] + [f"{text(a)}, {text(b)}" for a, b in both])


if __name__ == "__main__":
    main()
