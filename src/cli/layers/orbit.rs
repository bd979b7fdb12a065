//! `aliascope layers --orbit`: which layer makes the change of the output when the image moves by a finite distance.

use std::time::Instant;

use crate::measure::orbit::OrbitMeter;
use crate::report::OrbitBeside;
use crate::symmetry::Orbit;

use super::super::Failure;
use super::super::network::Console;
use super::super::resume::{Options, Progress};
use super::{LayersArgs, milliseconds, options};
use aliascope_core::cli::outputs::{ONE_FIGURE, Outputs};

/// Runs the subcommand along an orbit.
pub(super) fn run(args: &LayersArgs, orbit: &Orbit) -> Result<(), Failure> {
    let outputs = Outputs::claim(&args.outputs.output, &ONE_FIGURE)?;
    let opened = args.network.open(&args.model, &args.images)?;
    let network = &opened.network;
    let measuring = options(args, orbit.generator.clone(), args.measuring.derivative);
    let mut meter = OrbitMeter::new(network, orbit.clone(), measuring)?;
    let console = Console::new(args.outputs.output.quiet, opened.source.frames().len(), "orbits");
    opened.note_outputs(&console);
    let at_once = usize::from(args.batch.get());
    let kept = Options::of(&opened, at_once)
        .measuring(&args.measuring)
        .with("group", args.group)
        .with("memory", args.memory)
        .with("orbit", orbit);
    let mut progress = Progress::open(&args.resume, "layers-orbit", &opened, kept, &console)?;
    let (mut names, mut orbits, mut sample) = (Vec::new(), Vec::new(), None);
    opened.for_batches(1, &console, &progress.known(), |batch| {
        let name = batch.names().concat();
        if sample.is_none() {
            sample = Some(batch.tensor()?);
        }
        let (ms, found) = progress.recall("", batch, || {
            let (begin, x) = (Instant::now(), batch.tensor()?);
            let found = meter.find(&x, &name, at_once, &mut |done, of| console.part(done, of))?;
            Ok((milliseconds(begin), found))
        })?;
        orbits.push(ms);
        meter.take(found);
        names.push(name);
        console.advance(1);
        Ok(())
    })?;
    console.finish();
    let forward = sample.map(|x| network.typical_forward_ms(&x)).transpose()?;
    let report = meter.report(opened.run(names), [forward.into_iter().collect(), orbits]);
    outputs.write(&report, &OrbitBeside { top: args.top }, args.network.per_image)?;
    progress.finish();
    opened.finish()
}
