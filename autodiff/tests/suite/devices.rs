//! Arrays live where their backend computes: nothing crosses to the host but what is asked for, and
//! what is given to another backend is an error.

use burlap_autodiff::testing::{Device, Direction, Transfer};
use burlap_autodiff::{
    Array, Backend, Costs, Cpu, DType, Error, Executable, Interpreter, Plan, Program, Result,
    Storage, Tape,
};
use std::sync::Arc;

/// 2x and Σx, of 100 numbers.
fn doubled(backend: &dyn Backend) -> Program {
    let tape = Tape::new();
    let x = tape.input("x", DType::F32, [100]);
    tape.compile(backend, &[2.0 * x, x.sum()]).unwrap()
}

fn ones() -> Array {
    Array::full(DType::F32, [100], 1.0)
}

fn counts(device: &Device) -> [usize; 4] {
    let all = device.transfers();
    [all.uploads, all.uploaded_bytes, all.downloads, all.downloaded_bytes]
}

#[test]
fn values_stay_between_runs() {
    let device = Device::new();
    let program = doubled(&device);
    let mut x = device.upload(&ones()).unwrap();
    let mut outputs = program.run(&[&x]).unwrap();
    for _ in 0..5 {
        std::mem::swap(&mut x, &mut outputs[0]);
        program.run_into(&[&x], &mut outputs).unwrap();
    }
    assert_eq!(counts(&device), [1, 400, 0, 0]);
    assert_eq!(outputs[1].item().unwrap(), 3200.0);
    // Two vectors and a scalar.
    assert_eq!((counts(&device), device.bytes()), ([1, 400, 1, 4], 804));
    assert_eq!(outputs[0].to_f64_vec(), [64.0; 100]);
    let read = Transfer { direction: Direction::Download, dtype: DType::F32, count: 100 };
    assert_eq!(device.take_transfers().last(), Some(&read));
    drop((x, outputs));
    assert_eq!(device.bytes(), 0);
}

#[test]
fn inputs_on_the_host_are_uploaded_and_outputs_there_replaced() {
    let device = Device::wrapping(Cpu::with_threads(1).unwrap());
    let program = doubled(&device);
    let mut outputs = [ones(), Array::scalar(0f32)];
    program.run_into(&[&ones()], &mut outputs).unwrap();
    assert_eq!(outputs.each_ref().map(Array::location), [device.name(); 2]);
    assert_eq!(outputs[1].item().unwrap(), 100.0);
    assert_eq!(counts(&device), [1, 400, 1, 4]);
}

#[test]
fn an_output_that_others_share_is_written_elsewhere() {
    for backend in [&Device::new() as &dyn Backend, &Cpu::new(), &Interpreter] {
        let program = doubled(backend);
        let mut outputs = program.run(&[&ones()]).unwrap();
        let held = outputs[0].clone();
        let again = held.clone();
        program.run_into(&[&again], &mut outputs).unwrap();
        assert_eq!((held.get(&[7]), outputs[0].get(&[7])), (Some(2.0), Some(4.0)));
    }
}

#[test]
fn bound_inputs_cross_once() {
    let device = Device::new();
    let tape = Tape::new();
    let (x, v) = (tape.input("x", DType::F64, [3]), tape.input("v", DType::F64, [3]));
    let program = tape.compile(&device, &[x.exp().sum().hvp(x, v)]).unwrap();
    let mut bound = program.bind(&[&Array::vector([0.0; 3])]).unwrap();
    let mut v = device.upload(&Array::vector([1.0, 2.0, 3.0])).unwrap();
    for _ in 0..4 {
        v = bound.run(&[&v]).unwrap().swap_remove(0);
    }
    bound.rebind(&[&v]).unwrap();
    assert_eq!(counts(&device), [2, 48, 0, 0]);
    assert_eq!(v, Array::vector([1.0, 2.0, 3.0]));
}

#[test]
fn arrays_of_another_memory_are_errors_that_name_the_input() {
    let (device, other) = (Device::new(), Device::new());
    let there = other.upload(&ones()).unwrap();
    for backend in [&device as &dyn Backend, &Cpu::new(), &Interpreter] {
        let error = doubled(backend).run(&[&there]).unwrap_err();
        assert!(matches!(error, Error::Elsewhere { .. }), "{error}");
        let text = error.to_string();
        let start = "run: input \"x\" is in the memory of test device, not of ";
        assert!(text.starts_with(&format!("{start}{}; ", backend.name())), "{text}");
        assert!(doubled(backend).bind(&[&there]).is_err());
        assert!(backend.upload(&there).is_err() && !backend.holds(&there));
        // By way of the host it is welcome.
        let out = doubled(backend).run(&[&there.download().unwrap()]).unwrap();
        assert_eq!(out[1].item().unwrap(), 100.0);
    }
}

#[test]
fn slices_are_of_the_host_and_reading_downloads() {
    let device = Device::new();
    let host = Array::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.5]).unwrap();
    let mut array = device.upload(&host).unwrap();
    assert_eq!(format!("{array:?}"), "f64[2, 2] on test device");
    assert!(matches!(array.as_slice::<f64>(), Err(Error::Elsewhere { .. })));
    assert!(matches!(array.as_mut_slice::<f64>(), Err(Error::Elsewhere { .. })));
    assert_eq!(array.reshaped([4]).unwrap().shape()[..], [4]);
    assert_eq!((array.dtype(), array.len()), (DType::F64, 4));
    assert_eq!(counts(&device)[2], 0);
    assert_eq!(array.to_string(), "[[1, 2],\n [3, 4.5]]");
    assert_eq!(array.get(&[1, 0]), Some(3.0));
    assert_eq!(array, host);
    assert_eq!(array.cast(DType::F32).as_slice::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.5]);
    assert!(array.item().is_err());
    assert_eq!(array.reshaped([4]).unwrap().to_f64_vec(), [1.0, 2.0, 3.0, 4.5]);
    let both = device.download(&[&array, &host]).unwrap();
    assert_eq!(both, [host.clone(), host.clone()]);
    array.fill_from_f64(&[7.0]);
    assert!(array.is_on_host());
    assert_eq!(array.to_f64_vec(), [7.0, 0.0, 0.0, 0.0]);
}

#[test]
fn the_finite_check_moves_no_array_unless_it_fails() {
    let device = Device::new();
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let program = tape.compile(&device, &[x.sqrt(), x.log()]).unwrap().with_finite_check();
    let x = device.upload(&Array::vector([1.0, 4.0, 9.0])).unwrap();
    program.run(&[&x]).unwrap();
    // A truth value for each output.
    assert_eq!(counts(&device), [1, 24, 2, 2]);
    let error = program.run(&[&Array::vector([1.0, -4.0, 9.0])]).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "sqrt", position: 1, .. }), "{error}");
    let found = program.find_non_finite(&[&x]).unwrap();
    assert!(found.is_none(), "{found:?}");
}

#[test]
fn literals_are_recorded_from_the_host() {
    let there = Device::new().upload(&ones()).unwrap();
    let tape = Tape::new();
    let y = tape.literal(&there) + 1.0;
    let error = tape.compile(&Interpreter, &[y]).unwrap_err().to_string();
    assert!(error.starts_with("literal: f32[100] is in the memory of test device"), "{error}");
}

/// What a lost device has.
#[derive(Debug)]
struct Lost;

impl Storage for Lost {
    fn backend(&self) -> &'static str {
        "lost"
    }

    fn download(&self) -> Result<Array> {
        Err(Error::Backend { backend: "lost", problem: "it is gone".into() })
    }
}

#[test]
fn a_download_that_fails_gives_its_error_and_no_numbers() {
    let lost = Array::in_storage(DType::F64, [1], Arc::new(Lost));
    let gone = |error: Error| assert_eq!(error.to_string(), "backend lost: it is gone");
    gone(lost.download().unwrap_err());
    gone(lost.item().unwrap_err());
    assert_eq!(lost.to_string(), "f64[1]: backend lost: it is gone");
    assert!(lost.to_f64_vec().is_empty() && lost.get(&[0]).is_none() && lost != lost.clone());
    // A rounded copy cannot be made; whoever needs it learns why.
    let rounded = lost.cast(DType::F32);
    assert_eq!((rounded.dtype(), rounded.len()), (DType::F32, 1));
    gone(rounded.item().unwrap_err());
    assert!(Cpu::new().upload(&rounded).is_err());
}

/// What was downloaded must be what the array is.
#[derive(Debug)]
struct Wrong;

impl Storage for Wrong {
    fn backend(&self) -> &'static str {
        "wrong"
    }

    fn download(&self) -> Result<Array> {
        Ok(Array::vector([1.0, 2.0]))
    }
}

#[test]
fn a_download_of_another_size_or_type_is_an_error() {
    for (dtype, n) in [(DType::F64, 3), (DType::F32, 2)] {
        let error = Array::in_storage(dtype, [n], Arc::new(Wrong)).download().unwrap_err();
        let text = format!("backend wrong: the download of {dtype}[{n}] gave f64[2] [1, 2]");
        assert_eq!(error.to_string(), text);
    }
    assert!(Array::in_storage(DType::F64, [2, 1], Arc::new(Wrong)).download().is_ok());
}

/// Hands the CPU plans by costs of its own, and arrays as they come.
#[derive(Clone)]
struct Careless(Costs);

impl Backend for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn boxed(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }

    fn costs(&self) -> Costs {
        self.0
    }

    fn holds(&self, _: &Array) -> bool {
        true
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        Cpu::with_threads(2)?.compile(plan)
    }
}

#[test]
fn the_cpu_refuses_plans_and_arrays_that_are_not_for_it() {
    let program = doubled(&Careless(Cpu::new().costs()));
    let there = Device::new().upload(&ones()).unwrap();
    let error = program.run(&[&there]).unwrap_err();
    assert!(matches!(error, Error::Elsewhere { expected: "the host", .. }), "{error}");
    assert!(program.bind(&[&there]).is_err());
    let mut outputs = [there.clone(), Array::scalar(0f32)];
    let error = program.run_into(&[&ones()], &mut outputs).unwrap_err().to_string();
    assert!(error.starts_with("run: output 0 is in the memory of test device"), "{error}");
    // Many pipelines side by side.
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [8]);
    let outputs: Vec<_> =
        (0..100).map(|i| x.slice_axis(0, 0, 4).tanh().sum() + f64::from(i)).collect();
    let (many, few) = (1000, Cpu::new().costs());
    let wide = Careless(Costs { largest_phase: many, ..few });
    let keys: Vec<_> = (0..100u32).map(|i| tape.literal(&Array::vector([i, 1]))).collect();
    let draws: Vec<_> = keys.iter().map(|key| key.uniform(0, DType::F64, [4])).collect();
    let error = tape.compile(&wide, &draws).unwrap_err().to_string();
    assert!(error.contains("100 pipelines in a phase"), "{error}");
    assert!(tape.compile(&Careless(Costs { alignment: 8, ..few }), &outputs).is_err());
    // Any other figures change the speed alone.
    let odd =
        Costs { growing_expression: 3, largest_expression: 5, long_row: 2, ..Costs::default() };
    let run = |costs| {
        let program = tape.compile(&Careless(costs), &[outputs[0], x.square().sum()]).unwrap();
        let inputs = [Array::vector([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])];
        program.run(&inputs.iter().collect::<Vec<_>>()[..]).unwrap()
    };
    assert_eq!(run(odd)[1], Array::scalar(204.0));
    assert!((run(odd)[0].item().unwrap() - run(few)[0].item().unwrap()).abs() < 1e-14);
}
