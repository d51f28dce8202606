//! What all commands have in common: how their lines are parsed, what they print, how they end.

use crate::data::Normalize;
use anyhow::{Context, Result};
use burlap::autodiff::Cpu;
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use std::any::TypeId;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Once;

/// Parses the command line; a mistake is told and ends the program with exit code 2.
pub fn parse<T: CommandFactory + FromArgMatches>() -> T {
    T::from_arg_matches(&command::<T>().get_matches()).unwrap_or_else(|error| error.exit())
}

/// The command of some options, whose numbers may be negative: `--lr -1` is a value out of range and not
/// an unknown flag.
pub fn command<T: CommandFactory>() -> Command {
    signed(T::command()).after_help(
        "Exit codes: 0 done, 1 an error, 2 a mistake on the command line, 141 nobody reads the output.",
    )
}

fn signed(command: Command) -> Command {
    let numbers = [
        TypeId::of::<f64>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<Normalize>(),
    ];
    let is_number = |arg: &Arg| numbers.iter().any(|id| arg.get_value_parser().type_id() == *id);
    let command = command.mut_args(|arg| match is_number(&arg) {
        true => arg.allow_hyphen_values(true),
        false => arg,
    });
    command.mut_subcommands(signed)
}

/// Prints a line on the standard output, as `println!` does; that nobody reads it any more is an error,
/// which [`exit`] passes over in silence.
#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => {
        $crate::print(format_args!("{}\n", format_args!($($arg)*)))
    };
}

/// Prints on the standard output.
///
/// # Errors
/// [`OutputClosed`] when nobody reads it any more; what else the system reports.
pub fn print(text: fmt::Arguments<'_>) -> Result<()> {
    match io::stdout().lock().write_fmt(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        other => other.context("the standard output cannot be written"),
    }
}

/// Nobody reads the standard output any more, as after `| head -1`.
#[derive(Clone, Copy, Debug)]
pub struct OutputClosed;

impl fmt::Display for OutputClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the standard output any more")
    }
}

impl std::error::Error for OutputClosed {}

/// Exit code where nobody reads the output: that of programs which the signal SIGPIPE (13) ends.
const CLOSED: u8 = 128 + 13;

/// Runs a program's `main`: an error is one sentence with its causes, and exit code 1. Where nobody
/// reads the output any more, the program ends without a word, with exit code 141 as other programs do
/// in a shell.
pub fn exit(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.chain().any(|cause| cause.is::<OutputClosed>()) => CLOSED.into(),
        Err(error) => {
            // A backtrace would tell of the program only.
            complain(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A line on the standard error; there is nowhere to tell that nobody reads it.
fn complain(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The backend with so many threads; not more than processors, since threads that wait for each
/// other's processors take a hundred times as long. `None` is one for each processor.
///
/// # Errors
/// For 0 threads, or when the system does not grant them.
pub fn cpu(threads: Option<usize>) -> Result<Cpu> {
    static TOLD: Once = Once::new();
    let Some(asked) = threads else { return Ok(Cpu::new()) };
    let processors = std::thread::available_parallelism().map_or(asked, usize::from);
    if asked > processors {
        TOLD.call_once(|| {
            complain(format_args!(
                "warning: --threads {asked}: there are {processors} processors, so {processors} threads are used"
            ));
        });
    }
    Cpu::with_threads(asked.min(processors)).context("--threads")
}
