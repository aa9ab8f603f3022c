//! Which full model there is, and how much of it is wanted.

use std::path::PathBuf;

use ghost_embed::{Model, ModelError, Profile, find_model_dir};

/// Where a full model may lie, and the profile in which it is used.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// The most wanted first; none at all where no model is wanted.
    pub dirs: Vec<PathBuf>,
    pub profile: Profile,
}

impl Models {
    /// Loads the model of the first folder that has one.
    pub fn load(&self) -> Result<Model, ModelError> {
        Model::load_for(&self.dir()?, self.profile)
    }

    /// The folder whose model is used.
    pub fn dir(&self) -> Result<PathBuf, ModelError> {
        find_model_dir(&self.dirs).ok_or_else(|| ModelError::Missing { looked: self.dirs.clone() })
    }
}
