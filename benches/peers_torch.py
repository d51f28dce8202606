"""The workloads of the example `bench` in PyTorch. `compare.py` runs this."""

from peers_common import DIRECTIONS, LAYERS, LINKS, MOMENTUM, ORDER, RATE, STEPS, WIDTH
from peers_common import emit_first_step, emit_peak_rss, measure, options

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
