"""The workloads of the example `bench` in JAX. `compare.py` runs this.

XLA takes as many threads as there are processors that the process may use."""

import os

from peers_common import ADAMW, ADAMW_STEPS, DIRECTIONS, GPT, LAYERS, LINKS, MOMENTUM, ORDER
from peers_common import RATE, STEPS, WIDTH, emit_first_step, emit_peak_rss, measure, options

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


def gpt_initial():
    d, v, t = GPT["width"], GPT["vocabulary"], GPT["context"]
    linear = lambda i, j: {"w": normal(i, j, scale=i**-0.5), "b": jnp.zeros(j)}
    norm = lambda: {"w": jnp.ones(d), "b": jnp.zeros(d)}
    block = lambda: {"before_attention": norm(), "queries_keys_values": linear(d, 3 * d), "out": linear(d, d),
                     "before_hidden": norm(), "up": linear(d, 4 * d), "down": linear(4 * d, d)}
    return {"tokens": normal(v, d, scale=0.02), "positions": normal(t, d, scale=0.02), "last": norm(),
            "head": normal(d, v, scale=d**-0.5), "blocks": [block() for _ in range(GPT["layers"])]}


def gpt_loss(p, tokens, targets):
    linear = lambda p, x: x @ p["w"] + p["b"]
    seen = jnp.tril(jnp.ones((GPT["context"],) * 2, bool))

    def normed(p, x):
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + 1e-5) * p["w"] + p["b"]

    x = p["tokens"][tokens] + p["positions"]
    (b, t, d), h = x.shape, GPT["heads"]
    for block in p["blocks"]:
        qkv = linear(block["queries_keys_values"], normed(block["before_attention"], x))
        q, k, v = jnp.transpose(qkv.reshape(b, t, 3, h, d // h), (2, 0, 3, 1, 4))
        scores = jnp.einsum("bhtd,bhsd->bhts", q, k) * (d // h) ** -0.5
        y = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf)) @ v
        x = x + linear(block["out"], y.transpose(0, 2, 1, 3).reshape(b, t, d))
        x = x + linear(block["down"], jax.nn.gelu(linear(block["up"], normed(block["before_hidden"], x))))
    scores = jax.nn.log_softmax(normed(p["last"], x) @ p["head"])
    return -jnp.take_along_axis(scores, targets[..., None], -1).mean()


def w3():
    draw = lambda: jnp.asarray(random.integers(0, GPT["vocabulary"], (o.batch, GPT["context"])))
    tokens, targets = draw(), draw()
    (beta_m, beta_v), rate = ADAMW["betas"], ADAMW["rate"]

    def step(p, m, v, n, tokens, targets):
        value, g = jax.value_and_grad(gpt_loss)(p, tokens, targets)
        n = n + 1
        m = leaves(lambda m, g: beta_m * m + (1 - beta_m) * g, m, g)
        v = leaves(lambda v, g: beta_v * v + (1 - beta_v) * g * g, v, g)
        moved = lambda p, m, v: p * (1 - rate * ADAMW["decay"]) - rate * (m / (1 - beta_m**n)) / (
            jnp.sqrt(v / (1 - beta_v**n)) + ADAMW["eps"])
        return leaves(moved, p, m, v), m, v, n, value

    step, p = jax.jit(step, donate_argnums=(0, 1, 2)), gpt_initial()
    state = [p, leaves(jnp.zeros_like, p), leaves(jnp.zeros_like, p), jnp.float32(0)]

    def run():
        *state[:], _ = jax.block_until_ready(step(*state, tokens, targets))

    for _ in range(ADAMW_STEPS):
        run()
    emit_peak_rss()
    measure(o, "step", run)
    measure(o, "grad", waiting(jax.jit(jax.value_and_grad(gpt_loss)), state[0], tokens, targets))


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
