//! The configuration of this run: the file, then the environment, then the command line.

use std::path::{Path, PathBuf};

use ghost_node::anomaly::Anomalies;
use ghost_node::config::{ConfigError, DEFAULT_FILE, Origin, Settings, Value};
use ghost_node::import::Keeping;

use crate::cli::{Grain, Place, Precision, Run, TapMode};
use crate::outcome::Failed;

/// The service's way to Open vSwitch's database, whose own socket is root's.
const OVS_WAY: &str = "/run/ghostbridge/ovsdb.sock";

/// What the file, the environment and the command line say together, checked.
///
/// # Errors
/// Any of them is off: a usage error that says where.
pub(crate) fn of_run(place: &Place, asked: &Run) -> Result<Settings, Failed> {
    let mut settings = layers(place, asked, asked.config.as_deref()).map_err(Failed::usage)?;
    settings.check().map_err(Failed::usage)?;
    let way = Path::new(OVS_WAY);
    if settings.config.ovs.socket.is_none() && !rustix::process::geteuid().is_root() && way.exists()
    {
        settings.config.ovs.socket = Some(way.to_owned());
    }
    Ok(settings)
}

/// What the file and the environment say, for `config show`; contradictions are told, not refused.
pub(crate) fn of_file(place: &Place, config: Option<&Path>) -> Result<Settings, Failed> {
    layers(place, &Run::default(), config).map_err(Failed::usage)
}

/// What the file says of how much is kept. One that can't be read is an error: by another cap than
/// the operator's, what he wants kept would go.
pub(crate) fn keeping(place: &Place) -> Result<Keeping, Failed> {
    let file = std::env::var_os("GHOSTBRIDGE_CONFIG").map(PathBuf::from);
    of_file(place, file.as_deref()).map(|settings| Keeping::of(&settings.config))
}

/// What the file says of how flows are scored.
pub(crate) fn anomalies(place: &Place) -> Result<Anomalies, Failed> {
    let file = std::env::var_os("GHOSTBRIDGE_CONFIG").map(PathBuf::from);
    of_file(place, file.as_deref()).map(|settings| settings.config.anomalies.scoring())
}

fn layers(place: &Place, asked: &Run, file: Option<&Path>) -> Result<Settings, ConfigError> {
    let mut settings = Settings::new();
    let file = file.filter(|path| !path.as_os_str().is_empty());
    settings.read(file.unwrap_or(Path::new(DEFAULT_FILE)), file.is_some())?;
    // The environment and the command line reach us through one parser; what was typed is known by
    // its name among the arguments.
    let typed: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    for (key, option, variable, path) in [
        ("data_dir", "--data-dir", "GHOSTBRIDGE_DATA_DIR", place.data_dir.as_ref()),
        ("model_dir", "--model-dir", "GHOSTBRIDGE_MODEL_DIR", place.model_dir.as_ref()),
        ("tags", "--tags", "", place.tags.as_ref()),
    ] {
        if let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) {
            let value = Value::Text(path.to_string_lossy().into_owned());
            settings.set(key, &value, said(option, variable, &typed))?;
        }
    }
    if let Some(profile) = place.profile {
        let word = match profile {
            Precision::Fast => "fast",
            Precision::Balanced => "balanced",
            Precision::High => "high",
        };
        let origin = said("--profile", "GHOSTBRIDGE_PROFILE", &typed);
        settings.set("profile", &text(word), origin)?;
    }
    let flag = |name: &str| Origin::Flag(name.to_owned());
    if !asked.interfaces.is_empty() {
        settings.set("interfaces", &Value::List(asked.interfaces.clone()), flag("-i"))?;
    }
    if let Some(mode) = asked.mode {
        let word = match mode {
            TapMode::Ghost => "ghost",
            TapMode::GhostFast => "ghost-fast",
            TapMode::Inline => "inline",
            TapMode::Mirror => "mirror",
        };
        settings.set("mode", &text(word), flag("--mode"))?;
    }
    if let Some(grain) = asked.granularity {
        let word = match grain {
            Grain::Flow => "flow",
            Grain::Packet => "packet",
        };
        settings.set("granularity", &text(word), flag("--granularity"))?;
    }
    if asked.no_tap {
        settings.set("tap.enabled", &Value::Bool(false), flag("--no-tap"))?;
    }
    if !asked.filter.is_empty() {
        settings.set("filter", &text(&asked.filter.join(" ")), flag("FILTER"))?;
    }
    Ok(settings)
}

fn text(words: &str) -> Value {
    Value::Text(words.to_owned())
}

/// Who said an option that a variable may say too.
fn said(option: &str, variable: &str, typed: &[String]) -> Origin {
    let with_value = format!("{option}=");
    if variable.is_empty() || typed.iter().any(|arg| arg == option || arg.starts_with(&with_value))
    {
        Origin::Flag(option.to_owned())
    } else {
        Origin::Environment(variable.to_owned())
    }
}

/// The place that a configuration names, with what it leaves open as it was.
pub(crate) fn place_of(settings: &Settings, place: &Place) -> Place {
    use ghost_node::Profile;
    let config = &settings.config;
    let or = |path: &Option<PathBuf>, before: &Option<PathBuf>| path.clone().or(before.clone());
    Place {
        data_dir: or(&config.data_dir, &place.data_dir),
        model_dir: or(&config.model_dir, &place.model_dir),
        tags: or(&config.tags, &place.tags),
        profile: Some(match config.profile {
            Profile::Fast => Precision::Fast,
            Profile::Balanced => Precision::Balanced,
            Profile::High => Precision::High,
        }),
    }
}
