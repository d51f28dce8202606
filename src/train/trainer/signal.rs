//! Ctrl-C ends a step, not the process; a second one ends the process.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What the handlers, which stay once they are there, look at and set.
struct Flags {
    /// A signal has come since a run began.
    interrupted: Arc<AtomicBool>,
    /// A signal does what it did before: no run listens, or one has come already.
    default: Arc<AtomicBool>,
    listening: Mutex<usize>,
}

fn flags() -> &'static Flags {
    static FLAGS: OnceLock<Flags> = OnceLock::new();
    FLAGS.get_or_init(|| {
        let flags = Flags {
            interrupted: Arc::default(),
            default: Arc::new(AtomicBool::new(true)),
            listening: Mutex::new(0),
        };
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds `default` set by the first. Where a handler
            // cannot be installed, signals do what they did before.
            let registered = flag::register_conditional_default(signal, flags.default.clone())
                .and_then(|_| flag::register(signal, flags.interrupted.clone()))
                .and_then(|_| flag::register(signal, flags.default.clone()));
            let _ = registered;
        }
        flags
    })
}

/// While it lives, the first SIGINT or SIGTERM only sets a flag.
pub(super) struct Listening(());

impl Listening {
    pub(super) fn begin() -> Listening {
        let flags = flags();
        let mut listening = flags.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if *listening == 0 {
            flags.interrupted.store(false, Ordering::SeqCst);
            flags.default.store(false, Ordering::SeqCst);
        }
        *listening += 1;
        Listening(())
    }

    /// Whether a signal has come.
    pub(super) fn is_interrupted(&self) -> bool {
        flags().interrupted.load(Ordering::SeqCst)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let flags = flags();
        let mut listening = flags.listening.lock().unwrap_or_else(PoisonError::into_inner);
        *listening -= 1;
        if *listening == 0 {
            flags.default.store(true, Ordering::SeqCst);
        }
    }
}
