//! Profiles: how much meaning a machine can pay for.

use ghost_event::VECTOR_DIMENSIONS;

/// Which space vectors live in, and how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// The first 256 dimensions of MiniLM's space: a third less memory and time to scan.
    Fast,
    /// MiniLM's 384.
    #[default]
    Balanced,
    /// A 768-dimensional model that the user puts into the model folder.
    High,
}

impl Profile {
    pub const ALL: &'static [Profile] = &[Profile::Fast, Profile::Balanced, Profile::High];

    /// The name that stands in configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Profile::Fast => "fast",
            Profile::Balanced => "balanced",
            Profile::High => "high",
        }
    }

    /// The profile of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Profile> {
        Profile::ALL.iter().copied().find(|p| p.name() == name)
    }

    /// Components of its vectors.
    #[must_use]
    pub fn dimensions(self) -> usize {
        match self {
            Profile::Fast => 256,
            Profile::Balanced => VECTOR_DIMENSIONS,
            Profile::High => 768,
        }
    }

    /// Components that the model itself must give.
    #[must_use]
    pub fn model_dimensions(self) -> usize {
        match self {
            Profile::Fast | Profile::Balanced => VECTOR_DIMENSIONS,
            Profile::High => 768,
        }
    }
}
