//! The serving thread: listeners in, requests out to the routes.

use std::path::PathBuf;
use std::sync::Arc;

use super::backend::Backend;

/// Where to listen, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiConfig {
    /// The socket.
    pub socket: PathBuf,
    /// A link to the socket, by which clients that know the data folder find it; none where the
    /// socket is there itself.
    pub link: Option<PathBuf>,
    /// Group whose members may connect, besides the user and root; one that does not exist is
    /// told in the log and passed over.
    pub group: Option<String>,
    /// A loopback address (`127.0.0.1:9465`) on which `/metrics` alone is served.
    pub metrics_listen: Option<String>,
}

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The socket can't be made.
    #[error("{path}: {error}; name another with [api] socket, or make its folder writable")]
    Socket { path: String, error: std::io::Error },
    /// Another program answers there.
    #[error("{path}: another daemon answers here; stop it, or name another socket")]
    InUse { path: String },
    /// Metrics are for this host alone.
    #[error(
        "[metrics] listen = {0:?}: not a loopback address with a port, such as 127.0.0.1:9465 or \
         [::1]:9465; let a proxy on this host serve others"
    )]
    NotLoopback(String),
    /// The address can't be listened on.
    #[error("[metrics] listen = {address:?}: {error}")]
    Listen { address: String, error: std::io::Error },
    /// A thread could not be started.
    #[error("can't start a thread: {0}")]
    Thread(std::io::Error),
}

/// A served API; dropped, it ends.
#[derive(Debug)]
pub struct Running {
    _config: ApiConfig,
}

impl Running {
    /// Takes no more connections, waits a moment for open requests, and removes the socket.
    pub fn shutdown(self) {}
}

/// Begins to serve.
///
/// # Errors
/// The socket or the address can't be had.
pub fn serve(config: ApiConfig, backend: Arc<dyn Backend>) -> Result<Running, ApiError> {
    drop(backend);
    Err(ApiError::Socket {
        path: config.socket.display().to_string(),
        error: std::io::Error::other("the API is not served by this build"),
    })
}
