//! Command lines, output and exit codes of all commands.

use super::data::Normalize;
use super::error::{Error, OfFlag, Result, usage};
use crate::autodiff::Cpu;
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use std::any::TypeId;
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Once;

/// Parses the command line; a mistake is told and ends the program with exit code 2.
pub fn parse<T: CommandFactory + FromArgMatches>() -> T {
    T::from_arg_matches(&command::<T>().get_matches()).unwrap_or_else(|error| error.exit())
}

/// The command of options whose numbers may be negative: `--lr -1` is a value out of range and not
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
///
/// ```
/// burlap::cli::say!("{} steps", 3)?;
/// # Ok::<(), burlap::cli::Error>(())
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __say {
    ($($arg:tt)*) => {
        $crate::cli::print(format_args!("{}\n", format_args!($($arg)*)))
    };
}

/// Prints on the standard output.
///
/// # Errors
/// [`Error::OutputClosed`] when nobody reads it any more, else [`Error::Output`].
pub fn print(text: fmt::Arguments<'_>) -> Result<()> {
    match io::stdout().lock().write_fmt(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Error::OutputClosed),
        other => other.map_err(Error::Output),
    }
}

/// Exit code where nobody reads the output: that of programs which the signal SIGPIPE (13) ends.
const CLOSED: u8 = 128 + 13;

/// Runs a program's `main`: an error is one sentence with its causes, and exit code 1. Where nobody
/// reads the output any more, the program ends without a word, with exit code 141 as other programs do
/// in a shell. Errors may be [`Error`] or `anyhow::Error`.
pub fn exit<E: AsRef<dyn StdError + 'static>>(result: std::result::Result<(), E>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let causes = || std::iter::successors(Some(error.as_ref()), |&cause| cause.source());
    let is_closed = |cause: &(dyn StdError + 'static)| {
        matches!(cause.downcast_ref(), Some(Error::OutputClosed))
    };
    if causes().any(is_closed) {
        return CLOSED.into();
    }
    let sentence: Vec<String> = causes().map(ToString::to_string).collect();
    complain(format_args!("error: {}", sentence.join(": ")));
    ExitCode::FAILURE
}

/// A line on the standard error; there is nowhere to tell that nobody reads it.
fn complain(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The CPU backend with a number of threads, at most one for each processor, which is also the
/// default: threads that wait for each other's processors take a hundred times as long.
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
    Cpu::with_threads(asked.min(processors)).of_flag("--threads")
}

/// Refuses a list that is empty or names something twice.
///
/// ```
/// let error = burlap::cli::distinct("--seeds", &[1, 2, 1]).map_err(|e| e.to_string());
/// assert_eq!(error, Err("--seeds: 1 occurs twice".into()));
/// ```
///
/// # Errors
/// [`Error::Usage`] with the flag.
pub fn distinct<T: PartialEq + fmt::Display>(flag: &str, values: &[T]) -> Result<()> {
    if values.is_empty() {
        return usage(format!("{flag}: at least one value is needed"));
    }
    for (i, value) in values.iter().enumerate() {
        if values[..i].contains(value) {
            return usage(format!("{flag}: {value} occurs twice"));
        }
    }
    Ok(())
}
