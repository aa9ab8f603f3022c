//! Where data, model and tags are, from the command line and the environment.

use std::path::{Path, PathBuf};

use ghost_node::{DataDir, Models, Profile, Tags, default_model_dirs};

use crate::cli::{Place, Precision};
use crate::outcome::Failed;

/// Whether there is a log here: its own, or others' that it holds.
fn has_log(data: &DataDir) -> bool {
    data.root().join("log").is_dir() || data.root().join("replicas").is_dir()
}

impl Place {
    /// The data folder asked for, else the default one.
    pub(crate) fn data(&self) -> DataDir {
        match self.chosen() {
            Some(dir) => DataDir::new(dir),
            None => {
                let variable = |name| std::env::var_os(name).map(PathBuf::from);
                // What the service manager made for us; of several folders the first.
                if let Some(state) = std::env::var("STATE_DIRECTORY").ok().as_deref()
                    && let Some(dir) = state.split(':').next().filter(|dir| !dir.is_empty())
                {
                    return DataDir::new(dir);
                }
                DataDir::default_for(
                    rustix::process::geteuid().is_root(),
                    variable("XDG_DATA_HOME").as_deref(),
                    variable("HOME").as_deref(),
                )
            }
        }
    }

    /// The data folder of a question: for who keeps nothing of its own and may read the service's,
    /// that one.
    pub(crate) fn asked(&self) -> DataDir {
        let own = self.data();
        let service = DataDir::default_for(true, None, None);
        if self.chosen().is_none() && !has_log(&own) && has_log(&service) { service } else { own }
    }

    /// The data folder that was named; an empty name is none.
    pub(crate) fn chosen(&self) -> Option<&Path> {
        self.data_dir.as_deref().filter(|dir| !dir.as_os_str().is_empty())
    }

    /// The data folder of a command that only reads: it must hold a log.
    pub(crate) fn data_with_log(&self) -> Result<DataDir, Failed> {
        let data = self.asked();
        if has_log(&data) {
            return Ok(data);
        }
        Err(Failed::new(format!(
            "{}: nothing is remembered here yet; run `ghostbridge import FILE` first, or name the \
             right folder with --data-dir",
            data.root().display()
        )))
    }

    /// The full model, wherever it lies, in the profile asked for.
    pub(crate) fn models(&self) -> Models {
        let profile = match self.profile {
            Some(Precision::Fast) => Profile::Fast,
            Some(Precision::Balanced) | None => Profile::Balanced,
            Some(Precision::High) => Profile::High,
        };
        Models { dirs: self.model_dirs(), profile }
    }

    /// Where a full model may lie, the most wanted first.
    fn model_dirs(&self) -> Vec<PathBuf> {
        if let Some(dir) = self.model_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
            return vec![dir.clone()];
        }
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let share = || variable("HOME").map(|home| home.join(".local/share"));
        let xdg = variable("XDG_DATA_HOME").or_else(share);
        default_model_dirs(None, Some(self.data().root()), xdg.as_deref())
    }

    /// The operator's words for groups of hosts.
    pub(crate) fn tags(&self) -> Result<Tags, Failed> {
        if let Some(path) = &self.tags {
            return Tags::read(path, true).map_err(Failed::usage);
        }
        let own = self.data().tags_file();
        let path =
            if own.exists() { own.as_path() } else { Path::new("/etc/ghostbridge/tags.toml") };
        Tags::read(path, false).map_err(Failed::usage)
    }
}
