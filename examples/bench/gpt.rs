//! A GPT as formulas over slices of one flat vector of parameters.
//!
//! Learned positions; blocks of layer norm, causal attention, layer norm and a two-layer network
//! with GELU (by tanh); a last layer norm and a head of its own without bias. Activations are
//! matrices `[batch · context, width]`; only attention sees the batch.

use anyhow::Result;
use burlap::autodiff::{Array, Tape, Var};
use burlap::nn::loss;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

/// Added to the variance of a layer norm.
const EPSILON: f64 = 1e-5;

/// Spread of the first embeddings.
const EMBEDDING: f64 = 0.02;

/// Width of the hidden layer of a block, in units of the block's own.
const HIDDEN: usize = 4;

/// The sizes of a network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gpt {
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) context: usize,
    pub(crate) vocabulary: usize,
}

/// How a part of the parameters begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    Constant(f64),
    Normal(f64),
}

/// What a walk over the parameters does with each part: it is read, or its beginning noted.
trait Parts {
    type Part;

    fn part(&mut self, shape: &[usize], start: Start) -> Self::Part;

    /// Weights `[inputs, outputs]` and bias.
    fn linear(&mut self, inputs: usize, outputs: usize) -> [Self::Part; 2] {
        let scale = (inputs as f64).powf(-0.5);
        let weights = self.part(&[inputs, outputs], Start::Normal(scale));
        [weights, self.part(&[outputs], Start::Constant(0.0))]
    }

    /// Gain and bias of a layer norm.
    fn norm(&mut self, width: usize) -> [Self::Part; 2] {
        let gain = self.part(&[width], Start::Constant(1.0));
        [gain, self.part(&[width], Start::Constant(0.0))]
    }
}

/// Takes the parts from a flat vector, one behind another.
struct Read {
    params: Var,
    next: usize,
}

impl Parts for Read {
    type Part = Var;

    fn part(&mut self, shape: &[usize], _: Start) -> Var {
        let from = self.next;
        self.next += shape.iter().product::<usize>();
        self.params.slice_axis(0, from, self.next).reshape(shape)
    }
}

/// Counts the parameters and how each part of them begins.
struct Count(Vec<(usize, Start)>);

impl Parts for Count {
    type Part = ();

    fn part(&mut self, shape: &[usize], start: Start) {
        self.0.push((shape.iter().product(), start));
    }
}

/// The parts of a block.
struct Block<P> {
    before_attention: [P; 2],
    queries_keys_values: [P; 2],
    out: [P; 2],
    before_hidden: [P; 2],
    up: [P; 2],
    down: [P; 2],
}

/// The parts of the network.
struct Net<P> {
    tokens: P,
    positions: P,
    blocks: Vec<Block<P>>,
    last: [P; 2],
    head: P,
}

impl Gpt {
    fn walk<W: Parts>(&self, walk: &mut W) -> Net<W::Part> {
        let d = self.width;
        let tokens = walk.part(&[self.vocabulary, d], Start::Normal(EMBEDDING));
        let positions = walk.part(&[self.context, d], Start::Normal(EMBEDDING));
        let block = |_| Block {
            before_attention: walk.norm(d),
            queries_keys_values: walk.linear(d, 3 * d),
            out: walk.linear(d, d),
            before_hidden: walk.norm(d),
            up: walk.linear(d, HIDDEN * d),
            down: walk.linear(HIDDEN * d, d),
        };
        let blocks = (0..self.layers).map(block).collect();
        let last = walk.norm(d);
        let head = walk.part(&[d, self.vocabulary], Start::Normal((d as f64).powf(-0.5)));
        Net { tokens, positions, blocks, last, head }
    }

    /// How the parameters begin, part by part.
    fn starts(&self) -> Vec<(usize, Start)> {
        let mut count = Count(Vec::new());
        self.walk(&mut count);
        count.0
    }

    /// The number of parameters.
    pub(crate) fn total(&self) -> usize {
        self.starts().iter().map(|(n, _)| n).sum()
    }

    /// Parameters to begin with, the same for a seed.
    pub(crate) fn init(&self, seed: u64) -> Result<Array> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut values = Vec::with_capacity(self.total());
        for (n, start) in self.starts() {
            values.extend((0..n).map(|_| match start {
                Start::Constant(x) => x as f32,
                Start::Normal(scale) => {
                    let x: f32 = StandardNormal.sample(&mut random);
                    scale as f32 * x
                }
            }));
        }
        Ok(Array::from_vec([values.len()], values)?)
    }

    /// −log p of each next token: `[batch · context]`, from tokens and next tokens of shape
    /// `[batch, context]`.
    pub(crate) fn losses(&self, tape: &Tape, params: Var, [tokens, targets]: [Var; 2]) -> Var {
        let position = tape.iota(self.context);
        let seen = position.expand_dims(1).ge(position.expand_dims(0));
        loss::cross_entropy_per_example(self.logits(params, tokens, seen), targets.flatten())
    }

    /// A row of numbers for each token: `[batch · context, vocabulary]`. The mask tells which
    /// positions a position sees.
    fn logits(&self, params: Var, tokens: Var, seen: Var) -> Var {
        let net = self.walk(&mut Read { params, next: 0 });
        let (batch, d) = (tokens.shape()[0], self.width);
        let all = [batch, self.context, d];
        let embedded = net.tokens.gather(0, tokens) + net.positions.broadcast_to(all);
        let mut x = embedded.reshape([batch * self.context, d]);
        for block in &net.blocks {
            let mixed = x + self.attention(block, normed(x, block.before_attention), seen);
            let hidden = linear(normed(mixed, block.before_hidden), block.up).gelu_tanh();
            x = mixed + linear(hidden, block.down);
        }
        normed(x, net.last).matmul(net.head)
    }

    /// Each head mixes the values of earlier positions and its own.
    fn attention(&self, block: &Block<Var>, x: Var, seen: Var) -> Var {
        let (t, h, e) = (self.context, self.heads, self.width / self.heads);
        let batch = x.shape()[0] / t;
        let qkv = linear(x, block.queries_keys_values).reshape([batch, t, 3, h, e]);
        // [3, batch, head, position, element]
        let qkv = qkv.transpose(&[2, 0, 3, 1, 4]);
        let (q, k, v) = (qkv.at(0), qkv.at(1), qkv.at(2));
        let scores = q.matmul(k.t()) * (e as f64).powf(-0.5);
        let mixed = seen.select(scores, f64::NEG_INFINITY).softmax(3).matmul(v);
        let rows = mixed.transpose(&[0, 2, 1, 3]).reshape([batch * t, self.width]);
        linear(rows, block.out)
    }
}

fn linear(x: Var, [weights, bias]: [Var; 2]) -> Var {
    x.matmul(weights) + bias
}

/// Rows of mean 0 and variance 1, then scaled and shifted.
fn normed(x: Var, [gain, bias]: [Var; 2]) -> Var {
    let shape = x.shape();
    let centred = x - x.mean_axes(&[1]).keepdims(&[1], &shape);
    let variance = centred.square().mean_axes(&[1]).keepdims(&[1], &shape);
    centred * (variance + EPSILON).rsqrt() * gain + bias
}

/// Rates and decay of [`adamw`].
pub(crate) const RATE: f64 = 1e-4;
pub(crate) const BETAS: [f64; 2] = [0.9, 0.999];
pub(crate) const DECAY: f64 = 0.01;

/// Parameters and both moments after one step of AdamW (Loshchilov and Hutter, arXiv 1711.05101,
/// algorithm 2, with the decay times the rate, as PyTorch has it) along a gradient. `unbias` is
/// 1/(1 − βⁿ) for both β in step n.
pub(crate) fn adamw(params: Var, moments: [Var; 2], unbias: [Var; 2], gradient: Var) -> [Var; 3] {
    let [b1, b2] = BETAS;
    let m = b1 * moments[0] + (1.0 - b1) * gradient;
    let v = b2 * moments[1] + (1.0 - b2) * gradient.square();
    let scale = (v * unbias[1]).sqrt() + 1e-8;
    [params * (1.0 - RATE * DECAY) - RATE * (m * unbias[0]) / scale, m, v]
}
