//! w3: a GPT, its gradient and a step of AdamW, each one program.

use crate::gpt::{BETAS, Gpt, adamw};
use crate::mlp::room;
use crate::options::Options;
use crate::timing::{Line, resident_peak, rounded};
use anyhow::{Result, bail};
use burlap::autodiff::{Array, Cpu, DType, InputSpec, Program, Tape};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The measurements; the peak of the memory comes first, while nothing else has been done.
pub(crate) const KNOWN: &[&str] = &["f_peak_rss_mb", "step_adamw", "grad"];

const GPT: Gpt = Gpt { layers: 6, width: 192, heads: 6, context: 128, vocabulary: 96 };

/// Steps before the peak of the memory is read.
const STEPS: usize = 3;

/// Parameters to begin with and one batch.
pub(crate) struct Data {
    params: Array,
    tokens: Array,
    targets: Array,
}

impl Data {
    pub(crate) fn new(batch: usize) -> Result<Data> {
        let mut random = StdRng::seed_from_u64(3);
        let mut draw = || {
            let count = batch * GPT.context;
            let all = (0..count).map(|_| random.random_range(0..GPT.vocabulary as u32)).collect();
            Array::from_vec::<u32>([batch, GPT.context], all)
        };
        let (tokens, targets) = (draw()?, draw()?);
        Ok(Data { params: GPT.init(1)?, tokens, targets })
    }

    /// The program of a measurement.
    pub(crate) fn program(&self, cpu: &Cpu, what: &str) -> Result<Program> {
        let tape = Tape::new();
        let vector = |name: &str| tape.input(name, DType::F32, self.params.shape());
        let scalar = |name: &str| tape.input(name, DType::F32, []);
        let batch = || {
            let tokens = tape.input("tokens", DType::U32, self.tokens.shape());
            [tokens, tape.input("targets", DType::U32, self.targets.shape())]
        };
        let p = vector("params");
        let outputs = match what {
            "step_adamw" => {
                let moments = [vector("m"), vector("v")];
                let unbias = [scalar("unbias_m"), scalar("unbias_v")];
                let loss = GPT.losses(&tape, p, batch()).mean();
                let [p, m, v] = adamw(p, moments, unbias, loss.grad(p));
                vec![p, m, v, loss]
            }
            "grad" => {
                let loss = GPT.losses(&tape, p, batch()).mean();
                vec![loss, loss.grad(p)]
            }
            _ => bail!("w3 has no program for {what}"),
        };
        Ok(tape.compile(cpu, &outputs)?)
    }

    /// What such a program takes in the first step.
    pub(crate) fn inputs(&self, program: &Program) -> Result<Vec<Array>> {
        let [unbias_m, unbias_v] = unbias(1);
        let given = |spec: &InputSpec| match spec.name.as_str() {
            "params" => self.params.clone(),
            "tokens" => self.tokens.clone(),
            "targets" => self.targets.clone(),
            "unbias_m" => unbias_m.clone(),
            "unbias_v" => unbias_v.clone(),
            _ => Array::zeros(spec.dtype, spec.shape.clone()),
        };
        Ok(program.inputs().iter().map(given).collect())
    }
}

/// The bias corrections of step n.
fn unbias(n: i32) -> [Array; 2] {
    BETAS.map(|beta| Array::scalar((1.0 / (1.0 - beta.powi(n))) as f32))
}

/// Steps of AdamW, the parameters and moments going back and forth between two sets of arrays.
struct Stepper<'a> {
    data: &'a Data,
    program: Program,
    steps: i32,
    now: Vec<Array>,
    next: Vec<Array>,
}

impl<'a> Stepper<'a> {
    fn new(data: &'a Data, cpu: &Cpu) -> Result<Stepper<'a>> {
        let program = data.program(cpu, "step_adamw")?;
        let (mut now, next) = (room(&program), room(&program));
        now[0] = data.params.clone();
        Ok(Stepper { data, program, steps: 0, now, next })
    }

    fn step(&mut self) -> Result<()> {
        self.steps = self.steps.saturating_add(1);
        let [unbias_m, unbias_v] = unbias(self.steps);
        let [p, m, v, _] = &self.now[..] else { bail!("a step has four results") };
        let inputs = [p, m, v, &unbias_m, &unbias_v, &self.data.tokens, &self.data.targets];
        self.program.run_into(&inputs, &mut self.next)?;
        std::mem::swap(&mut self.now, &mut self.next);
        Ok(())
    }
}

/// All measurements that are asked for.
pub(crate) fn run(options: &Options, cpu: &Cpu) -> Result<()> {
    options.check(KNOWN)?;
    let before = resident_peak();
    let data = Data::new(options.batch())?;
    for what in KNOWN.iter().filter(|what| options.wants(what)) {
        let mut line = Line::new("w3", options, options.batch(), *what);
        match *what {
            "f_peak_rss_mb" => {
                let mut stepper = Stepper::new(&data, cpu)?;
                (0..STEPS).try_for_each(|_| stepper.step())?;
                line.mb_before = before.map(|mb| rounded(mb, 1));
                line.mb = resident_peak().map(|mb| rounded(mb, 1));
            }
            "step_adamw" => {
                let mut stepper = Stepper::new(&data, cpu)?;
                line = line.timed(options.budget, || stepper.step())?;
            }
            _ => {
                let program = data.program(cpu, what)?;
                let inputs = data.inputs(&program)?;
                let inputs: Vec<&Array> = inputs.iter().collect();
                let mut outputs = room(&program);
                line =
                    line.timed(options.budget, || Ok(program.run_into(&inputs, &mut outputs)?))?;
            }
        }
        line.print()?;
    }
    Ok(())
}
