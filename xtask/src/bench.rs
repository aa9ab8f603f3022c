//! stub
pub(crate) fn run(_: crate::args::Args) -> crate::Done {
    Err("not yet".into())
}
pub(crate) const NAMES: &[&str] = &["headers", "embed", "log", "query", "import"];
