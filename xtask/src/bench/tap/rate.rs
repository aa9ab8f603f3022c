//! Frames a second that reach the sink, from a generator with a processor of its own.

use std::time::{Duration, Instant};

use ghost_lab::generate::{self, Traffic};

use super::rig::Rig;
use crate::Done;
use crate::args::Args;
use crate::sh::Outcome;

/// How long frames are sent: half a start, then the window, then a little.
const SECONDS: f64 = 1.25;
const START: Duration = Duration::from_millis(250);
const WINDOW: Duration = Duration::from_millis(800);
/// No measurement takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where the generator runs.
const GENERATOR_CPU: usize = 0;

/// Millions of frames a second that arrive, with frames of `size` sent as fast as it goes.
pub(super) fn measure(rig: &Rig, size: usize) -> Outcome<f64> {
    let generator = start(rig, &["--size", &size.to_string(), "--seconds", &SECONDS.to_string()])?;
    let rate = std::thread::scope(|scope| scope.spawn(|| window(rig)).join());
    let rate = rate.map_err(|_| "the measuring thread panicked".to_owned())??;
    generator.wait(PATIENCE).map_err(|e| e.to_string())?;
    Ok(rate / 1e6)
}

/// Starts a generator at the source.
pub(super) fn start(rig: &Rig, words: &[&str]) -> Outcome<ghost_lab::Process> {
    let own = std::env::current_exe().map_err(|e| format!("our own path: {e}"))?;
    let own = own.to_string_lossy().into_owned();
    let argv: Vec<&str> =
        [own.as_str(), "__generate"].into_iter().chain(words.iter().copied()).collect();
    rig.source.spawn(&argv).map_err(|e| e.to_string())
}

/// Frames a second within the window, which begins when frames have been arriving for a while.
fn window(rig: &Rig) -> Outcome<f64> {
    generate::take_processor(None, Some(20), Duration::from_secs(10)).map_err(|e| e.to_string())?;
    let before = rig.arrived()?;
    let asked = Instant::now();
    while rig.arrived()? < before + 1000 {
        if asked.elapsed() > PATIENCE {
            return Err("no frame arrives at the sink".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(START);
    let (first, start) = (rig.arrived()?, Instant::now());
    std::thread::sleep(WINDOW);
    let (last, end) = (rig.arrived()?, start.elapsed());
    Ok((last - first) as f64 / end.as_secs_f64())
}

/// The hidden verb: sends what it is told, prints what it sent.
pub(crate) fn generate(mut args: Args) -> Done {
    let mut number = |name: &str| -> Outcome<Option<f64>> {
        let value = args.value(name)?;
        value.map(|v| v.parse().map_err(|_| format!("{name} wants a number"))).transpose()
    };
    let mut traffic = Traffic::default();
    traffic.size = number("--size")?.map_or(traffic.size, |v| v as usize);
    traffic.seconds = number("--seconds")?.unwrap_or(traffic.seconds);
    traffic.frames = number("--frames")?.map_or(traffic.frames, |v| v as u64);
    traffic.rate = number("--rate")?.map(|v| v as u64);
    args.done()?;
    let limit = Duration::from_secs_f64(traffic.seconds + 5.0);
    generate::take_processor(Some(GENERATOR_CPU), Some(5), limit).map_err(|e| e.to_string())?;
    let sent = generate::send("dv0", &traffic).map_err(|e| format!("dv0: {e}"))?;
    println!("{} {:.6}", sent.frames, sent.seconds);
    Ok(())
}
