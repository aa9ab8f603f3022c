//! The blocking client: what the command line asks a daemon with.

use std::path::Path;

/// Why the daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No daemon answers at the socket.
    #[error("{path}: the daemon does not answer ({error})")]
    Unreachable { path: String, error: std::io::Error },
    /// The socket is not for this user.
    #[error("{path}: not permitted; become a member of the group that owns it, or run as root")]
    Denied { path: String },
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// Connects to the daemon at `socket`.
    ///
    /// # Errors
    /// Nothing answers there, or it is not permitted.
    pub fn connect(socket: &Path) -> Result<Client, ClientError> {
        Err(ClientError::Unreachable {
            path: socket.display().to_string(),
            error: std::io::Error::other("the API is not served by this build"),
        })
    }
}
