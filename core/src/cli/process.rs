//! What a program does around a subcommand: Ctrl-C, defects, the log, the exit status.

use std::env;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::failure::{Failure, Status};
use crate::printable::{MESSAGE, shortened};

/// Runs a subcommand and gives the status that the program ends with; a failure is one message on standard error, and
/// so is a panic.
pub fn run(command: impl FnOnce() -> Result<(), Failure> + panic::UnwindSafe) -> u8 {
    panic::set_hook(Box::new(report_defect));
    log_where_asked();
    super::signals::handle();
    match panic::catch_unwind(command) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => failure.report(),
        Err(_) => Status::Defect as u8,
    }
}

/// What happens when, on standard error, where `ALIASCOPE_LOG` names a level or a filter such as `aliascope=debug`.
fn log_where_asked() {
    let asked = env::var("ALIASCOPE_LOG").ok().and_then(|filter| filter.parse::<Targets>().ok());
    if let Some(filter) = asked {
        let events = tracing_subscriber::fmt::layer().with_writer(|| Log).with_ansi(false);
        tracing_subscriber::registry().with(events.with_filter(filter)).init();
    }
}

/// Standard error, a line for each event: names in it are made printable.
struct Log;

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = shortened(text.strip_suffix('\n').unwrap_or(&text), MESSAGE).into_owned();
        writeln!(io::stderr().lock(), "{line}")?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Ends the process at once: an orderly exit would take libtorch apart, for a fifth of a second, or under the thread
/// that is computing with it.
pub fn leave(status: u8) -> ! {
    let _ = std::io::stdout().flush();
    #[cfg(unix)]
    // SAFETY: _exit has no preconditions; nothing of this process runs after it.
    unsafe {
        libc::_exit(i32::from(status))
    }
    #[cfg(not(unix))]
    std::process::exit(i32::from(status))
}

/// A panic is a defect of aliascope; its one sentence says so, without a backtrace.
fn report_defect(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let what = what.lines().next().unwrap_or_default();
    let failure = Failure::new(
        Status::Defect,
        format!("this is a defect of aliascope, please report it with the command that you ran: {what}{place}"),
    );
    failure.report();
}
