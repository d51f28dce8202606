//! Random well-formed programs over all primitives, as a proptest strategy.
//!
//! A program is a list of instructions, each a primitive and some numbers that choose its
//! operands and parameters. What a number chooses *from* is known only while recording, from
//! the values and shapes there are by then, so every list of instructions is well-formed, and
//! leaving some out (as shrinking does) leaves another.

use super::recorder::{Recorder, Variant};
use crate::graph::{Binary, Compare, Distribution, Unary};
use crate::{Array, DType, Tape, Var};
use proptest::prelude::*;
use std::fmt;

/// What an instruction of a random program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// An elementwise function of one real operand, which is first brought into its domain.
    Unary(Unary),
    /// An elementwise function of two real operands, broadcast together.
    Binary(Binary),
    /// A comparison of reals, which gives a mask.
    Compare(Compare),
    /// Arithmetic on `U32`, which wraps.
    IntegerBinary(Binary),
    /// A comparison of `U32`.
    IntegerCompare(Compare),
    /// Arithmetic on masks.
    MaskBinary(Binary),
    /// A choice by a mask.
    Select,
    /// To the other float type and back.
    RoundTrip,
    /// From reals or masks to `U32`.
    ToInteger,
    /// From reals or `U32` to masks.
    ToMask,
    /// From `U32` or masks to reals.
    ToReal,
    /// A value that counts as constant from here on.
    StopGradient,
    /// A sum over some axes.
    Sum,
    /// A maximum over some axes.
    MaxOver,
    /// A minimum over some axes.
    MinOver,
    /// The place of the maximum.
    ArgMax,
    /// Other sizes for the same elements.
    Reshape,
    /// Repetition along new axes or axes of size 1.
    Broadcast,
    /// A permutation of the axes.
    Transpose,
    /// A part, with steps.
    Slice,
    /// Zeros before, between and after.
    Pad,
    /// Several values side by side.
    Concat,
    /// A reversal.
    Flip,
    /// A product over any pairing of axes.
    Contract,
    /// The matrix product.
    Matmul,
    /// A product in Einstein's notation.
    Einsum,
    /// Entries at indices.
    Gather,
    /// Sums at indices.
    ScatterAdd,
    /// Entries at indices of their own.
    TakeAlong,
    /// Rows of the identity.
    OneHot,
    /// Random numbers.
    Random(Distribution),
    /// A softmax or its logarithm, and other compositions.
    Composed,
    /// A function in a checkpoint, that may contain another.
    Checkpoint,
    /// A linear or bilinear primitive, as one of its [examples](super::examples) uses it.
    Example,
}

impl Step {
    /// All of them.
    pub fn all() -> Vec<Step> {
        let mut all: Vec<Step> = Unary::ALL.iter().map(|&f| Step::Unary(f)).collect();
        // The operations that programs are mostly made of come more often.
        for _ in 0..2 {
            all.extend(Binary::ALL.iter().map(|&f| Step::Binary(f)));
            all.extend([Step::Contract, Step::Matmul, Step::Einsum, Step::Sum, Step::Select]);
        }
        all.extend(Compare::ALL.iter().flat_map(|&f| [Step::Compare(f), Step::IntegerCompare(f)]));
        let whole = Binary::ALL.iter().filter(|f| !f.is_real());
        all.extend(whole.flat_map(|&f| [Step::IntegerBinary(f), Step::MaskBinary(f)]));
        all.extend(
            [Distribution::Uniform, Distribution::Normal, Distribution::Bits].map(Step::Random),
        );
        all.extend([
            Step::RoundTrip,
            Step::ToInteger,
            Step::ToMask,
            Step::ToReal,
            Step::StopGradient,
            Step::MaxOver,
            Step::MinOver,
            Step::ArgMax,
            Step::Reshape,
            Step::Broadcast,
            Step::Transpose,
            Step::Slice,
            Step::Pad,
            Step::Concat,
            Step::Flip,
            Step::Gather,
            Step::ScatterAdd,
            Step::TakeAlong,
            Step::OneHot,
            Step::Composed,
            Step::Checkpoint,
        ]);
        // One of many primitives.
        all.extend([Step::Example; 4]);
        all
    }
}

/// One instruction: a primitive, and the numbers that choose its operands and parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub step: Step,
    /// The choices, each taken modulo the number of possibilities; 0 where they do not suffice.
    pub choices: [u16; 10],
}

/// A random program: inputs, instructions, and a scalar loss that depends on all results.
///
/// Values stay within moderate bounds (about 8) by construction: arguments are brought into
/// the domains of their functions, and what may have grown is squashed.
///
/// ```
/// use burlap_autodiff::testing::random_programs;
/// use burlap_autodiff::{DType, Interpreter, Tape};
/// let program = &random_programs(1, 7, false)[0];
/// println!("{program:?}");
/// let tape = Tape::new();
/// let recorded = program.record(&tape, DType::F64);
/// let gradient = recorded.loss.grad(recorded.x);
/// let compiled = tape.compile(&Interpreter, &[recorded.loss, gradient])?;
/// let inputs: Vec<_> = recorded.values.iter().collect();
/// assert!(compiled.run(&inputs)?[0].item()?.is_finite());
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RandomProgram {
    /// Determines the numbers of the inputs.
    pub seed: u32,
    /// The shape of the variable, with at least one element.
    pub variable: Vec<usize>,
    /// The shape of a second real input; it may be empty.
    pub data: Vec<usize>,
    /// The instructions.
    pub instructions: Vec<Instruction>,
    /// Whether operations on the variable are left out that differences cannot follow:
    /// rounding to `F32`.
    pub smooth: bool,
}

/// A recorded random program.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The inputs, in the order of declaration.
    pub inputs: Vec<Var>,
    /// Numbers for the inputs. Those of stopped values, at the end, are zeros.
    pub values: Vec<Array>,
    /// The variable: the first input.
    pub x: Var,
    /// The scalar that depends on all results.
    pub loss: Var,
    /// Everything that was computed on the way, and the inputs.
    pub results: Vec<Var>,
    /// On which side of each kink the operands are, as an `F64` vector: signs of what decides
    /// maxima, masks, roundings, indices. While these are the same, the loss is smooth.
    pub decisions: Var,
    /// The operands of `stop_gradient` that depend on the variable.
    pub stopped: Vec<Var>,
    /// What each line of the listing computed.
    pub computed: Vec<Var>,
    /// One line for each instruction.
    pub listing: Vec<String>,
}

impl RandomProgram {
    /// Records the program with reals of the given float type on an empty tape.
    pub fn record(&self, tape: &Tape, dtype: DType) -> Recorded {
        Recorder::new(self, tape, dtype, Variant::default()).record()
    }

    /// Records the program, each result passed through an operation that changes nothing: a
    /// product with 1, a reshape to the same shape and the like.
    pub fn record_with_identities(&self, tape: &Tape, dtype: DType) -> Recorded {
        let variant = Variant { identities: true, ..Variant::default() };
        Recorder::new(self, tape, dtype, variant).record()
    }

    /// Records the program, but what line `number` of the listing computes becomes an input, the
    /// last one. At the value of that line, derivatives with respect to the input are those with
    /// respect to the recorded value.
    pub fn record_with_input(&self, tape: &Tape, dtype: DType, number: usize) -> Recorded {
        let variant = Variant { replaced: Some(number), ..Variant::default() };
        Recorder::new(self, tape, dtype, variant).record()
    }

    /// Records the program, but what it stops becomes inputs, at the end. At the values of
    /// [`Recorded::stopped`] the derivatives are those of the program itself, and their
    /// differences are those of the derivatives: a stopped value does not move with `x`.
    pub fn record_with_stopped(&self, tape: &Tape, dtype: DType) -> Recorded {
        let variant = Variant { stopped_are_inputs: true, ..Variant::default() };
        Recorder::new(self, tape, dtype, variant).record()
    }

    /// The program with as many instructions left out as possible, while it still fails.
    pub fn smallest(&self, fails: impl Fn(&RandomProgram) -> bool) -> RandomProgram {
        let mut smallest = self.clone();
        let mut place = smallest.instructions.len();
        while place > 0 {
            place -= 1;
            let mut part = smallest.clone();
            part.instructions.remove(place);
            if fails(&part) {
                smallest = part;
            }
        }
        smallest
    }
}

impl fmt::Debug for RandomProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RandomProgram { seed, variable, data, smooth, .. } = self;
        write!(
            f,
            "program with seed {seed}, x of shape {variable:?}, data of shape {data:?}, smooth {smooth}:"
        )?;
        let tape = Tape::new();
        let recorded = self.record(&tape, DType::F64);
        recorded.listing.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// Sizes of axes: mostly 2 and 3, now and then 1, seldom 0.
fn size(least: usize) -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(1usize), 4 => Just(2usize), 4 => Just(3usize), 1 => 4usize..6, 1 => Just(least)]
}

fn shape(least: usize) -> impl Strategy<Value = Vec<usize>> {
    // At most three axes of the sizes above, so that nothing starts large.
    prop::collection::vec(size(least), 0..4)
}

fn instruction() -> impl Strategy<Value = Instruction> {
    let step = prop::sample::select(Step::all());
    (step, any::<[u16; 10]>()).prop_map(|(step, choices)| Instruction { step, choices })
}

/// A proptest strategy of random programs of up to `length` instructions. With `smooth`,
/// their derivatives can be compared with differences wherever [`Recorded::decisions`] stay
/// the same.
pub fn programs(length: usize, smooth: bool) -> impl Strategy<Value = RandomProgram> {
    let instructions = prop::collection::vec(instruction(), 1..=length.max(1));
    (any::<u32>(), shape(1), shape(0), instructions).prop_map(
        move |(seed, variable, data, instructions)| RandomProgram {
            seed,
            variable,
            data,
            instructions,
            smooth,
        },
    )
}

/// The same `count` programs for the same seed, of up to 14 instructions.
pub fn random_programs(count: usize, seed: u64, smooth: bool) -> Vec<RandomProgram> {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = programs(14, smooth);
    // The strategy rejects nothing, so there is a tree each time.
    (0..count)
        .filter_map(|_| strategy.new_tree(&mut runner).ok())
        .map(|tree| tree.current())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Op;
    use crate::tape::with_tape;
    use std::collections::BTreeSet;

    /// Over some programs, with their gradients, every primitive occurs.
    #[test]
    fn every_primitive_occurs() {
        for smooth in [false, true] {
            let mut missing: BTreeSet<&str> = Op::names().into_iter().collect();
            for program in random_programs(1000, 1, smooth) {
                let tape = Tape::new();
                let recorded = program.record(&tape, DType::F64);
                let gradient = recorded.loss.grad(recorded.x);
                assert_eq!(tape.error(), None, "{program:?}");
                with_tape(tape.id(), |data| {
                    let mut needed = vec![false; data.nodes.len()];
                    needed[gradient.node() as usize] = true;
                    needed[recorded.loss.node() as usize] = true;
                    for id in (0..data.nodes.len()).rev() {
                        if needed[id] {
                            missing.remove(data.nodes[id].op.name());
                            data.nodes[id].args.iter().for_each(|&a| needed[a as usize] = true);
                        }
                    }
                });
            }
            assert!(missing.is_empty(), "smooth {smooth}: never generated: {missing:?}");
        }
    }

    /// Shrinking keeps programs well-formed.
    #[test]
    fn parts_of_programs_are_programs() {
        for program in random_programs(50, 2, false) {
            for gone in 0..program.instructions.len() {
                let mut part = program.clone();
                part.instructions.remove(gone);
                let tape = Tape::new();
                part.record(&tape, DType::F32);
                assert_eq!(tape.error(), None, "{part:?}");
            }
        }
    }

    #[test]
    fn the_smallest_program_keeps_what_fails() {
        let program = &random_programs(1, 4, false)[0];
        let last = program.instructions[program.instructions.len() - 1];
        let smallest = program.smallest(|part| part.instructions.contains(&last));
        assert_eq!(smallest.instructions, [last]);
    }

    #[test]
    fn a_listing_shows_names_operands_and_shapes() {
        let program = RandomProgram {
            seed: 1,
            variable: vec![2, 3],
            data: vec![],
            instructions: vec![Instruction { step: Step::Unary(Unary::Sin), choices: [3; 10] }],
            smooth: true,
        };
        let text = format!("{program:?}");
        assert!(text.contains("sin(x) : f64[2, 3]"), "{text}");
    }
}
