//! Command lines of the tools: a word, flags, and options with a value.

use crate::Done;
use crate::sh::Outcome;

/// What is left of the command line.
#[derive(Debug)]
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn from_env() -> Args {
        Args(std::env::args().skip(1).collect())
    }

    /// The next argument that is not an option.
    pub(crate) fn word(&mut self) -> Option<String> {
        let at = self.0.iter().position(|a| !a.starts_with("--"))?;
        Some(self.0.remove(at))
    }

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|a| a != name);
        self.0.len() != before
    }

    /// The value of `--name VALUE` or `--name=VALUE`.
    pub(crate) fn value(&mut self, name: &str) -> Outcome<Option<String>> {
        let with_equals = format!("{name}=");
        if let Some(at) = self.0.iter().position(|a| a.starts_with(&with_equals)) {
            let arg = self.0.remove(at);
            return Ok(arg.strip_prefix(&with_equals).map(str::to_owned));
        }
        let Some(at) = self.0.iter().position(|a| a == name) else { return Ok(None) };
        if at + 1 >= self.0.len() {
            return Err(format!("{name} wants a value"));
        }
        self.0.remove(at);
        Ok(Some(self.0.remove(at)))
    }

    /// Complains of what nobody asked for.
    pub(crate) fn done(self) -> Done {
        match self.0.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(format!("unknown argument {first:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Args {
        Args(words.iter().map(|w| (*w).to_owned()).collect())
    }

    #[test]
    fn a_value_may_follow_or_be_joined() {
        for form in [&["--set", "dev", "x"][..], &["--set=dev", "x"]] {
            let mut args = args(form);
            assert_eq!(args.value("--set").unwrap().as_deref(), Some("dev"));
            assert_eq!(args.word().as_deref(), Some("x"));
            assert!(args.done().is_ok());
        }
    }

    #[test]
    fn what_is_left_over_or_incomplete_is_an_error() {
        assert!(args(&["--set"]).value("--set").is_err());
        assert!(args(&["--unknown"]).done().is_err());
    }
}
