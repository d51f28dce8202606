"""The workloads of the example `bench` in PyTorch. `compare.py` runs this."""

from peers_common import ADAMW, ADAMW_STEPS, DIRECTIONS, GPT, LAYERS, LINKS, MOMENTUM, ORDER
from peers_common import RATE, STEPS, WIDTH, emit_first_step, emit_peak_rss, measure, options

o = options()
import torch
from torch.func import functional_call, grad, jvp, vmap

torch.set_num_threads(o.threads)
torch.manual_seed(0)


class Net(torch.nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.activation = activation
        for name, inputs, outputs in LAYERS:
            setattr(self, name, torch.nn.Linear(inputs, outputs))

    def forward(self, x):
        for name in ORDER[:-1]:
            x = self.activation(getattr(self, name)(x))
        return torch.log_softmax(self.fc5(x), 1)


class W1:
    def __init__(self, activation=torch.relu):
        self.net = Net(activation)
        self.x, self.y = torch.randn(o.batch, 784), torch.randint(0, 10, (o.batch,))
        self.parameters = list(self.net.parameters())
        self.called = torch.compile(self.net) if o.compile else self.net

    def loss(self):
        return torch.nn.functional.nll_loss(self.called(self.x), self.y)

    def gradient(self, **keywords):
        return torch.autograd.grad(self.loss(), self.parameters, **keywords)

    def stepper(self, **keywords):
        sgd = torch.optim.SGD(self.parameters, RATE, MOMENTUM, **keywords)

        def step():
            sgd.zero_grad(set_to_none=True)
            self.loss().backward()
            sgd.step()

        return step

    def directions(self, *leading):
        return [torch.randn(*leading, *p.shape) for p in self.parameters]

    def functional(self):
        """Parameters by name, and the loss as a function of them, for torch.func."""
        values = {name: p.detach() for name, p in self.net.named_parameters()}
        called = lambda p: functional_call(self.net, p, (self.x,))
        return values, lambda p: torch.nn.functional.nll_loss(called(p), self.y)


def without_grad(run):
    with torch.no_grad():
        return run()


def w1():
    w = W1()
    measure(o, "forward", lambda: without_grad(w.loss))
    measure(o, "grad", w.gradient)
    measure(o, "step", w.stepper(), "default")
    measure(o, "step", w.stepper(fused=True), "fused")
    v = w.directions()

    def double_backward():
        return torch.autograd.grad(w.gradient(create_graph=True), w.parameters, v)

    measure(o, "hvp", double_backward, "double backward")
    values, loss = w.functional()
    tangents = dict(zip(values, v))
    forward_over_reverse = lambda u: jvp(grad(loss), (values,), (u,))[1]
    if o.compile:
        measure(o, "hvp", lambda f=torch.compile(forward_over_reverse): f(tangents), "forward over reverse")
        return
    measure(o, "hvp", lambda: forward_over_reverse(tangents), "forward over reverse")
    kept = w.gradient(create_graph=True)
    again = lambda g, u: torch.autograd.grad(g, w.parameters, u, retain_graph=True)
    measure(o, "hvp_again", lambda: again(kept, v))
    many = w.directions(DIRECTIONS)
    tangents = dict(zip(values, many))
    measure(o, "hvp8", lambda: vmap(forward_over_reverse)(tangents), "vmap")

    def batched():
        g = w.gradient(create_graph=True)
        return torch.autograd.grad(g, w.parameters, many, is_grads_batched=True)

    measure(o, "hvp8", batched, "batched")

    def one_by_one():
        g = w.gradient(create_graph=True)
        return [again(g, [u[i] for u in many]) for i in range(DIRECTIONS)]

    measure(o, "hvp8", one_by_one, "one by one")


def w1tanh():
    w = W1(torch.tanh)
    measure(o, "third_grad", w.gradient)
    v = w.directions()

    def nested():
        g = w.gradient(create_graph=True)
        hv = torch.autograd.grad(g, w.parameters, v, create_graph=True)
        curvature = 0.5 * sum((a * b).sum() for a, b in zip(hv, v))
        return torch.autograd.grad(curvature, w.parameters)

    measure(o, "third", nested, "reverse thrice")
    if not o.compile:
        values, loss = w.functional()
        tangents = dict(zip(values, v))
        along = lambda f: lambda p: jvp(f, (p,), (tangents,))[1]
        measure(o, "third", lambda: grad(along(along(loss)))(values), "reverse over forward twice")


def w1rss():
    step = W1().stepper()
    for _ in range(STEPS):
        step()
    emit_peak_rss()


class Block(torch.nn.Module):
    def __init__(self, fused):
        super().__init__()
        d, t, self.fused = GPT["width"], GPT["context"], fused
        self.before_attention, self.before_hidden = (torch.nn.LayerNorm(d) for _ in range(2))
        self.queries_keys_values, self.out = torch.nn.Linear(d, 3 * d), torch.nn.Linear(d, d)
        self.up, self.down = torch.nn.Linear(d, 4 * d), torch.nn.Linear(4 * d, d)
        self.register_buffer("later", torch.triu(torch.ones(t, t, dtype=torch.bool), 1))

    def forward(self, x):
        b, t, d = x.shape
        h = GPT["heads"]
        qkv = self.queries_keys_values(self.before_attention(x))
        q, k, v = qkv.view(b, t, 3, h, d // h).permute(2, 0, 3, 1, 4)
        if self.fused:
            y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-1, -2)) * (d // h) ** -0.5
            y = scores.masked_fill(self.later, float("-inf")).softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
        hidden = torch.nn.functional.gelu(self.up(self.before_hidden(x)), approximate="tanh")
        return x + self.down(hidden)


class Gpt(torch.nn.Module):
    def __init__(self, fused):
        super().__init__()
        d, v = GPT["width"], GPT["vocabulary"]
        self.tokens, self.positions = torch.nn.Embedding(v, d), torch.nn.Embedding(GPT["context"], d)
        self.blocks = torch.nn.Sequential(*(Block(fused) for _ in range(GPT["layers"])))
        self.last, self.head = torch.nn.LayerNorm(d), torch.nn.Linear(d, v, bias=False)

    def forward(self, tokens):
        return self.head(self.last(self.blocks(self.tokens(tokens) + self.positions.weight)))


def w3():
    tokens, targets = torch.randint(0, GPT["vocabulary"], (2, o.batch, GPT["context"]))
    for variant in ("fused attention", "explicit attention"):
        net = Gpt(variant == "fused attention")
        called, parameters = torch.compile(net) if o.compile else net, list(net.parameters())
        loss = lambda: torch.nn.functional.cross_entropy(called(tokens).flatten(0, 1), targets.flatten())
        adamw = torch.optim.AdamW(parameters, ADAMW["rate"], ADAMW["betas"], ADAMW["eps"], ADAMW["decay"])

        def step():
            adamw.zero_grad(set_to_none=True)
            loss().backward()
            adamw.step()

        if variant == "fused attention":
            for _ in range(ADAMW_STEPS):
                step()
            emit_peak_rss()
        measure(o, "step", step, variant)
        measure(o, "grad", lambda: torch.autograd.grad(loss(), parameters), variant)


def w4():
    def chain(x):
        for _ in range(LINKS):
            x = torch.tanh(x * 0.9 + 0.1) - 0.01
        return x.sum()

    called = torch.compile(chain) if o.compile else chain
    x = torch.randn(WIDTH, requires_grad=True)
    measure(o, "chain", lambda: torch.autograd.grad(called(x), x))
    if not o.compile:
        # Records anew each time anyway.
        measure(o, "chain_once", lambda: torch.autograd.grad(chain(x), x))


def w5():
    W1().stepper()()
    emit_first_step(o)


def gemm():
    m, k, n = map(int, o.shape.split("x"))
    a, b, c = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    measure(o, "gemm", lambda: torch.mm(a, b, out=c))


globals()[o.work]()
