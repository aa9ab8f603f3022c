//! Tags: names that the operator gave to addresses, networks and host names.

use std::collections::BTreeMap;

/// Tag to what it stands for: addresses, CIDRs, host names and name patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, Vec<String>>);

impl Tags {
    /// Tags by their names, which are compared in lower case.
    #[must_use]
    pub fn new(tags: impl IntoIterator<Item = (String, Vec<String>)>) -> Tags {
        Tags(tags.into_iter().map(|(name, of)| (name.to_lowercase(), of)).collect())
    }

    /// What `name` stands for.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.0.get(&name.to_lowercase()).map(Vec::as_slice)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
