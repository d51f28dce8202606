"""The workloads of the example `bench` in JAX. `compare.py` runs this.

XLA takes as many threads as there are processors that the process may use."""

import os

from peers_common import DIRECTIONS, LAYERS, LINKS, MOMENTUM, ORDER, RATE, STEPS, WIDTH
from peers_common import emit_first_step, emit_peak_rss, measure, options

o = options()
os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(0)
leaves = jax.tree_util.tree_map


def normal(*shape, scale=1.0):
    return jnp.asarray(scale * random.standard_normal(shape), dtype=jnp.float32)


def waiting(f, *arguments):
    return lambda: jax.block_until_ready(f(*arguments))


def initial():
    return {n: {"w": normal(i, j, scale=i**-0.5), "b": jnp.zeros(j)} for n, i, j in LAYERS}


def batch():
    return normal(o.batch, 784), jnp.asarray(random.integers(0, 10, o.batch))


def loss_with(activation):
    def loss(p, x, y):
        for name in ORDER[:-1]:
            x = activation(x @ p[name]["w"] + p[name]["b"])
        scores = jax.nn.log_softmax(x @ p["fc5"]["w"] + p["fc5"]["b"])
        return -jnp.take_along_axis(scores, y[:, None], 1).mean()

    return loss


loss = loss_with(jax.nn.relu)


def stepper():
    def step(p, m, x, y):
        value, g = jax.value_and_grad(loss)(p, x, y)
        m = leaves(lambda m, g: MOMENTUM * m + g, m, g)
        return leaves(lambda p, m: p - RATE * m, p, m), m, value

    step, p = jax.jit(step, donate_argnums=(0, 1)), initial()
    state, (x, y) = [p, leaves(jnp.zeros_like, p)], batch()

    def run():
        state[0], state[1], _ = jax.block_until_ready(step(*state, x, y))

    return run


def hvp(p, v, x, y):
    return jax.jvp(lambda q: jax.grad(loss)(q, x, y), (p,), (v,))[1]


def w1():
    p, (x, y) = initial(), batch()
    measure(o, "forward", waiting(jax.jit(loss), p, x, y))
    measure(o, "grad", waiting(jax.jit(jax.value_and_grad(loss)), p, x, y))
    measure(o, "step", stepper())
    v = leaves(lambda a: normal(*a.shape), p)
    measure(o, "hvp", waiting(jax.jit(hvp), p, v, x, y))
    _, product = jax.linearize(lambda q: jax.grad(loss)(q, x, y), p)
    measure(o, "hvp_again", waiting(jax.jit(product), v))
    many = leaves(lambda a: normal(DIRECTIONS, *a.shape), p)
    vmapped = jax.jit(jax.vmap(hvp, (None, 0, None, None)))
    measure(o, "hvp8", waiting(vmapped, p, many, x, y), "vmap")
    mapped = jax.jit(lambda p, many, x, y: jax.lax.map(lambda v: hvp(p, v, x, y), many))
    measure(o, "hvp8", waiting(mapped, p, many, x, y), "map")


def w1tanh():
    smooth, p, (x, y) = loss_with(jnp.tanh), initial(), batch()
    measure(o, "third_grad", waiting(jax.jit(jax.value_and_grad(smooth)), p, x, y))
    v = leaves(lambda a: normal(*a.shape), p)

    def curvature(p, v, x, y):
        along = lambda f: lambda q: jax.jvp(f, (q,), (v,))[1]
        return 0.5 * along(along(lambda q: smooth(q, x, y)))(p)

    third = jax.jit(jax.value_and_grad(curvature))
    measure(o, "third", waiting(third, p, v, x, y), "reverse over forward twice")


def w1rss():
    step = stepper()
    for _ in range(STEPS):
        step()
    emit_peak_rss()


def w4():
    def chain(x):
        for _ in range(LINKS):
            x = jnp.tanh(x * 0.9 + 0.1) - 0.01
        return x.sum()

    x = normal(WIDTH)
    measure(o, "chain", waiting(jax.jit(jax.grad(chain)), x))
    measure(o, "chain_once", waiting(jax.grad(chain), x))


def w5():
    stepper()()
    emit_first_step(o)


def gemm():
    m, k, n = map(int, o.shape.split("x"))
    measure(o, "gemm", waiting(jax.jit(jnp.matmul), normal(m, k), normal(k, n)))


globals()[o.work]()
