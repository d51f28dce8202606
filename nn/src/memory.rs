//! How much memory there is: what cannot fit is refused before it is asked for, since a process that
//! asks for too much is ended by the system.

use crate::Error;
use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

/// More memory than this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} are needed, but there are {} of memory", bytes(*.needed), bytes(*.available))]
pub struct OutOfMemory {
    /// The bytes needed.
    pub needed: u64,
    /// The bytes of the machine, or of what the system grants this process.
    pub available: u64,
}

/// Refuses to need more bytes than the machine has.
///
/// ```
/// use burlap_nn::memory;
/// assert!(memory::check(1000).is_ok());
/// assert!(memory::check(u64::MAX).is_err());
/// ```
///
/// # Errors
///
/// [`OutOfMemory`].
pub fn check(needed: u64) -> Result<(), OutOfMemory> {
    let available = available();
    if needed > available { Err(OutOfMemory { needed, available }) } else { Ok(()) }
}

/// Refuses parameters of which a vector of `f64` is more than the machine has.
pub(crate) fn check_parameters(total: usize) -> Result<(), Error> {
    let needed = (total as u64).saturating_mul(size_of::<f64>() as u64);
    check(needed).map_err(|short| Error::Memory { total, short })
}

/// The bytes of memory of this machine, less where the system grants this process less; where it
/// does not tell, as many as can be addressed.
#[must_use]
pub fn available() -> u64 {
    static FOUND: OnceLock<u64> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let machine = told("/proc/meminfo").and_then(|text| {
            let part = |name: &str| -> Option<u64> {
                let line = text.lines().find_map(|line| line.strip_prefix(name))?;
                line.split_whitespace().next()?.parse().ok()
            };
            Some(part("MemTotal:")?.saturating_add(part("SwapTotal:").unwrap_or(0)) * 1024)
        });
        // Both versions of control groups.
        let granted = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
            .into_iter()
            .filter_map(|file| told(file)?.trim().parse().ok());
        granted.chain(machine).fold(isize::MAX as u64, u64::min)
    })
}

/// What a file of the system says; never long.
fn told(path: &str) -> Option<String> {
    const MOST: u64 = 1 << 16;
    let mut text = String::new();
    File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A number of bytes in a unit that leaves few digits.
fn bytes(count: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.into_iter().find(|(unit, _)| count as f64 >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", count as f64 / unit),
        None => format!("{count} bytes"),
    }
}
