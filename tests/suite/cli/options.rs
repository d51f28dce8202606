//! The options of all commands: each number has a range, and what is outside is told with its name.

#[path = "../../../examples/bench/options.rs"]
mod bench;
#[path = "../../../examples/paper/options.rs"]
mod paper;
#[path = "../../../examples/study/options.rs"]
mod study;
#[path = "../../../examples/theory/options.rs"]
mod theory;
#[path = "../../../examples/train/options.rs"]
mod train;

use burlap::autodiff::Array;
use burlap::cli::{
    self, Experiment, Files, FilesArgs, LandscapeArgs, SpectrumArgs, TrainingArgs, command,
};
use burlap::nn::Checkpoint;
use burlap::optim::{METHODS, SettingKind};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, Parser};
use std::path::Path;

/// The options of `landscape` and `spectrum` are those of the library, and two words.
#[derive(Parser)]
struct Alone<A: Args> {
    #[command(flatten)]
    args: A,
}

/// Every command, with the words that it needs at least.
fn commands() -> Vec<(Command, &'static [&'static str])> {
    vec![
        (command::<train::Options>(), &["train"]),
        (command::<paper::Options>(), &["paper", "mnist-frobenius"]),
        (command::<Alone<LandscapeArgs>>(), &["landscape"]),
        (command::<Alone<SpectrumArgs>>(), &["spectrum"]),
        (command::<Alone<TrainingArgs>>(), &["landscape"]),
        (command::<Alone<FilesArgs>>(), &["landscape"]),
        (command::<study::Options>(), &["study"]),
        (command::<study::Options>(), &["study", "time"]),
        (command::<theory::Options>(), &["theory"]),
        (command::<bench::Options>(), &["bench", "w1"]),
        (command::<bench::Options>(), &["bench", "w5"]),
    ]
}

/// Options that are no numbers; all others are.
const WORDS: [&str; 20] = [
    "data",
    "data-dir",
    "model",
    "estimator",
    "layers",
    "schedule",
    "method",
    "json",
    "save",
    "resume",
    "report",
    "directions",
    "methods",
    "out",
    "what",
    "products",
    "shape",
    "normalize",
    "drop-last",
    "help",
];

/// The long names of a command's options, and of those of the subcommand that the words name.
fn numbers(command: &Command, words: &[&str]) -> Vec<String> {
    let deepest = words.get(1).and_then(|word| command.find_subcommand(word));
    let all = command.get_arguments().chain(deepest.into_iter().flat_map(Command::get_arguments));
    let names = all.filter_map(|arg| arg.get_long()).map(str::to_owned);
    names.filter(|name| !WORDS.contains(&name.as_str())).collect()
}

/// Whether a setting of methods has this name, now or formerly, and is a real number, whose range is the
/// library's to judge.
fn is_real_setting(name: &str) -> bool {
    let settings = METHODS.iter().flat_map(|member| member.all_settings());
    let mut reals = settings.filter(|setting| setting.kind == SettingKind::Number);
    reals.any(|setting| setting.name == name || setting.former_name == Some(name))
}

/// What is said of a value; `None` if it is taken.
fn said(command: &Command, words: &[&str], option: &str, value: &str) -> Option<String> {
    let option = format!("--{option}");
    let line = words.iter().copied().chain([option.as_str(), value]);
    let error = command.clone().try_get_matches_from(line).err()?;
    assert_eq!(error.kind(), ErrorKind::ValueValidation, "{option} {value}: {error}");
    let named = error.get(ContextKind::InvalidArg);
    let Some(ContextValue::String(named)) = named else { return Some(error.to_string()) };
    assert!(named.starts_with(&option), "{option} {value}: {error}");
    Some(error.to_string())
}

#[test]
fn every_number_has_a_range_and_is_named_when_it_is_outside() {
    let mut seen = 0;
    for (command, words) in commands() {
        for option in numbers(&command, words) {
            for value in ["nan", "inf", "-inf", "1e400", "-1e400", "many", "", "0x10", "1e3.5"] {
                let text = said(&command, words, &option, value);
                assert!(text.is_some_and(|t| t.contains(&option)), "{words:?} --{option} {value}");
            }
            // Either a whole number, or one with an end on this side.
            let negative = said(&command, words, &option, "-1");
            if words[0] == "paper" || !is_real_setting(&option) {
                let text = negative.unwrap_or_default();
                assert!(text.contains(" is needed"), "{words:?} --{option} -1: {text}");
            }
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}

#[test]
fn defaults_are_within_their_ranges_and_of_the_types_that_are_asked_for() {
    train::Options::try_parse_from(["train"]).unwrap();
    paper::Options::try_parse_from(["paper", "mnist-frobenius"]).unwrap();
    Alone::<TrainingArgs>::try_parse_from(["landscape"]).unwrap();
    study::Options::try_parse_from(["study", "time"]).unwrap();
    theory::Options::try_parse_from(["theory"]).unwrap();
    let whole = "train --samples 2 --every 3 --micro-batch 4 --threads 1 --rho 0.5 --tau -1";
    let options = cli::command::<train::Options>().try_get_matches_from(whole.split(' '));
    let options = <train::Options as clap::FromArgMatches>::from_arg_matches(&options.unwrap());
    assert_eq!(options.unwrap().training.method.given.number("tau").ok(), Some(-1.0));
    let whole = "bench w5 --threads 1 --batch 8 --t0 5 --budget 0.5";
    bench::Options::try_parse_from(whole.split(' ')).unwrap();
    for bad in ["0x1x1", "1x1", "1x1x1x1", "1x-1x1", "1000000x1000000x1", "axbxc"] {
        let error = bench::sizes(bad).unwrap_err();
        assert!(format!("{error:#}").starts_with(&format!("--shape {bad}: ")), "{error:#}");
    }
    assert_eq!(bench::sizes("3x4x5").unwrap(), [3, 4, 5]);
    // Another option is not a value, except of numbers, which refuse it.
    let train = cli::command::<train::Options>();
    let error = train.try_get_matches_from(["train", "--save", "--resume", "x"]).unwrap_err();
    assert!(error.to_string().contains("a value is required for '--save <FILE>'"), "{error}");
    let paper = cli::command::<paper::Options>();
    let line = "paper mnist-frobenius --normalize -0.5,2";
    let found = paper.try_get_matches_from(line.split(' ')).unwrap();
    let found = <paper::Options as clap::FromArgMatches>::from_arg_matches(&found).unwrap();
    assert_eq!(found.paper.normalize.mean, -0.5);
}

#[test]
fn more_threads_than_processors_are_not_used() {
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(cli::cpu(Some(1000 + processors)).unwrap().threads(), processors);
    assert_eq!(cli::cpu(Some(1)).unwrap().threads(), 1);
    assert!(cli::cpu(Some(0)).is_err());
}

/// The network and data of the saved runs in `first_release`, which its `flags.txt` tells the
/// methods' flags of; the first release wrote them.
const FIRST_RELEASE: &str = "--model mlp:1 --fraction 0.1 --epochs 1 --threads 1";

fn resumed(method: &str, flags: &str) -> anyhow::Result<burlap::optim::State> {
    let flags = format!("landscape {FIRST_RELEASE} {flags}");
    let args = Alone::<TrainingArgs>::try_parse_from(flags.split_whitespace())?.args;
    let path = format!(
        "{}/tests/suite/cli/first_release/{method}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    let files = Files { save: None, resume: Some(path.into()) };
    Ok(Experiment::new(&args)?.fit(method, &files)?.training.state())
}

#[test]
fn runs_that_the_first_release_saved_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/cli/first_release");
    let lines = std::fs::read_to_string(format!("{folder}/flags.txt")).unwrap();
    for line in lines.lines() {
        let (method, flags) = line.split_once(' ').unwrap_or((line, ""));
        let state = resumed(method, flags).unwrap_or_else(|e| panic!("{method}: {e:#}"));
        let saved = Checkpoint::load(Path::new(&format!("{folder}/{method}.safetensors"))).unwrap();
        // All arrays and numbers are there, the former names among them under present ones.
        assert_eq!(state.arrays.len(), saved.arrays.len(), "{method}");
        let values = |arrays: &mut dyn Iterator<Item = &Array>| {
            let mut all: Vec<Vec<f64>> = arrays.map(Array::to_f64_vec).collect();
            all.sort_by(|a, b| a.partial_cmp(b).unwrap());
            all
        };
        let (now, then) =
            (values(&mut state.arrays.values()), values(&mut saved.arrays.iter().map(|(_, a)| a)));
        assert_eq!(now, then, "{method}");
        let numbers = saved.metadata.keys().filter(|key| key.starts_with("number:")).count();
        assert_eq!(state.numbers.len(), numbers, "{method}");
        // Settings are held against those of the run.
        let other = resumed(method, &format!("{flags} --lr 0.04")).unwrap_err().to_string();
        assert!(other.contains("saved with --lr 0.05"), "{other}");
    }
    let weights = "--orthogonal-weight 0.3 --m-sharpness 50";
    assert!(resumed("gsam", weights).is_ok(), "the present words mean the same");
    let other = resumed("gsam", "--alpha 0.2 --micro-batch 50").unwrap_err().to_string();
    assert!(other.contains("settings m-sharpness 50; orthogonal-weight 0.3"), "{other}");
}
