//! `bench import`: a million packets through the whole program, beside nDPI's reader and NFStream.
//!
//! Ours is everything: names, vectors, the chained log, the index committed. The full model's
//! background time is told apart, because the peers have no such thing. Runs take turns and the
//! median counts; peak memory is the highest of our runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Row, load, median};
use crate::setup;
use crate::sh::{self, Outcome, cargo, command, have};

const ROUNDS: usize = 3;

/// What one process cost.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    seconds: f64,
    peak_mb: f64,
}

pub(super) fn rows(file: Option<&str>) -> Outcome<Vec<Row>> {
    let file = match file {
        Some(file) => std::path::absolute(file).map_err(|e| format!("{file}: {e}"))?,
        None => {
            eprintln!("no --file: a load is made of the shipped captures");
            load::file()?
        }
    };
    sh::run(cargo().args(["build", "--quiet", "--release", "--package", "ghostbridge"]))?;
    let binary = sh::target().join("release/ghostbridge");
    let ndpi = has_ndpi();
    let nfstream = nfstream();
    let (mut ours, mut without_model, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut model = Vec::new();
    for _ in 0..ROUNDS {
        let (cost, model_seconds) = import(&binary, &file, &[])?;
        ours.push(cost);
        without_model.push(Cost { seconds: cost.seconds - model_seconds, ..cost });
        model.push(Cost { seconds: model_seconds, ..cost });
        if ndpi {
            let mut reader = command("ndpiReader");
            theirs.push(measured(reader.args(["-q", "-i"]).arg(&file))?.0);
        }
    }
    let python = match &nfstream {
        Some(path) => Some(measured(&mut python(path, &file))?.0),
        None => None,
    };
    let wall = seconds(&without_model);
    let peer = |name, costs: &[Cost]| (!costs.is_empty()).then(|| (name, seconds(costs)));
    let peak = |costs: &[Cost]| costs.iter().map(|c| c.peak_mb).fold(0.0, f64::max);
    let peer_peak = (!theirs.is_empty()).then(|| ("ndpiReader -q", peak(&theirs)));
    let nfstream_peer = python.map(|cost| ("nfstream", cost.seconds));
    Ok(vec![
        Row::new("import", wall, "s", peer("ndpiReader -q", &theirs)),
        Row::new("import beside nfstream", wall, "s", nfstream_peer),
        Row::new("peak memory", peak(&ours), "MB", peer_peak),
        Row::new("full model, in the background", seconds(&model), "s", None),
    ])
}

/// One import into an empty folder: its cost, and the full model's share of it.
fn import(binary: &Path, file: &Path, more: &[&str]) -> Outcome<(Cost, f64)> {
    let data = sh::target().join("bench/data");
    sh::fresh_folder(&data)?;
    let mut command = command(binary);
    command.arg("--data-dir").arg(&data).args(["import", "-o", "jsonl"]).args(more).arg(file);
    let measured = measured(&mut command);
    std::fs::remove_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
    let (cost, printed) = measured?;
    Ok((cost, model_seconds(&printed)))
}

/// From the import's summary: a JSON `model_seconds`, or the sentence for people.
fn model_seconds(printed: &str) -> f64 {
    let of_json = printed.lines().filter_map(|l| {
        let (_, rest) = l.split_once("\"model_seconds\":")?;
        rest.split([',', '}']).next()?.trim().parse().ok()
    });
    let of_sentence = printed.lines().filter_map(|l| {
        let (_, rest) = l.split_once("full model:")?;
        rest.rsplit_once(" in ")?.1.trim_end_matches(" s").trim().parse().ok()
    });
    of_json.chain(of_sentence).last().unwrap_or(0.0)
}

/// Runs a program and watches its time and peak memory; both outputs come back as one text.
fn measured(command: &mut Command) -> Outcome<(Cost, String)> {
    let shown = sh::describe(command);
    let told = sh::target().join("bench/told.txt");
    let errors = sh::target().join("bench/errors.txt");
    let create = |path: &PathBuf| {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
            .and_then(|()| std::fs::File::create(path))
            .map_err(|e| format!("{}: {e}", path.display()))
    };
    command.stdin(Stdio::null()).stdout(create(&told)?).stderr(create(&errors)?);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|e| format!("{shown}: {e}"))?;
    let mut peak_kb = 0;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| format!("{shown}: {e}"))? {
            break status;
        }
        peak_kb = peak_kb.max(high_water_kb(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    };
    let seconds = start.elapsed().as_secs_f64();
    let printed = sh::read(&told).unwrap_or_default() + &sh::read(&errors).unwrap_or_default();
    if !status.success() {
        return Err(format!("{shown} ended with {status}:\n{printed}"));
    }
    Ok((Cost { seconds, peak_mb: f64::from(peak_kb) / 1000.0 * 1.024 }, printed))
}

/// The most memory a process has held so far, in KiB.
fn high_water_kb(process: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn has_ndpi() -> bool {
    if !have("ndpiReader")
        && let Err(why) = setup::install(&["libndpi-bin"])
    {
        eprintln!("no ndpiReader beside us: {why}");
    }
    have("ndpiReader")
}

/// A folder to add to Python's path where nfstream is; empty where it is installed already.
fn nfstream() -> Option<PathBuf> {
    let probe = |path: &Path| {
        let mut python = command("python3");
        python.env("PYTHONPATH", path).args(["-c", "import nfstream"]);
        sh::capture(&mut python).is_ok_and(|ran| ran.ok())
    };
    let folder = sh::target().join("peers");
    if probe(&folder) {
        return Some(folder);
    }
    let mut pip = command("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&folder).arg("nfstream");
    match setup::pip().and_then(|()| sh::output(&mut pip).map(drop)) {
        Ok(()) if probe(&folder) => Some(folder),
        Ok(()) => None,
        Err(why) => {
            eprintln!("no nfstream beside us: {why}");
            None
        }
    }
}

fn python(path: &Path, file: &Path) -> Command {
    const COUNT: &str = "if __name__ == '__main__':\n    import sys, nfstream\n    \
        print(sum(1 for _ in nfstream.NFStreamer(source=sys.argv[1])))";
    let mut python = command("python3");
    python.env("PYTHONPATH", path).args(["-c", COUNT]).arg(file);
    python
}

fn seconds(costs: &[Cost]) -> f64 {
    median(&costs.iter().map(|cost| cost.seconds).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_share_is_read_from_either_summary() {
        assert_eq!(model_seconds("{\"file\":\"x\"}\n{\"model_seconds\":1.25,\"a\":1}\n"), 1.25);
        assert_eq!(model_seconds("full model: 9 of 9 new shapes in 2.50 s\n"), 2.5);
        assert_eq!(model_seconds("3 new shapes keep their fast vectors: no model\n"), 0.0);
    }

    #[test]
    fn time_and_memory_of_a_process_are_seen() {
        let mut sleep = command("sleep");
        let (cost, _) = measured(sleep.arg("0.05")).unwrap();
        assert!(cost.seconds >= 0.05 && cost.peak_mb > 0.0, "{cost:?}");
    }
}
