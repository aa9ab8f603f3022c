//! Over HTTP: a webhook takes a JSON object, ntfy a text with its title and urgency.
//!
//! The token and the certificates are read anew for each try, so that a changed file counts at
//! once. No redirect is followed and no proxy is used: what is told goes where it was sent, or
//! nowhere.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghost_event::Priority;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

use super::message::Message;
use super::outlet::Undelivered;
use crate::PROGRAM;
use crate::limits::{ALERTS_TIMEOUT, CA_BYTES_MAX, TOKEN_BYTES_MAX};

/// Where a message goes.
#[derive(Debug)]
pub(super) struct Target {
    url: String,
    token: Option<PathBuf>,
    ca: Option<PathBuf>,
}

impl Target {
    pub(super) fn new(url: &str, token: Option<PathBuf>, ca: Option<PathBuf>) -> Target {
        Target { url: url.to_owned(), token, ca }
    }

    pub(super) fn webhook(&self, message: &Message, identity: &str) -> Result<(), Undelivered> {
        let body = format!("{}\n", message.json(identity));
        self.post(body.as_bytes(), &[("Content-Type", "application/json")])
    }

    pub(super) fn ntfy(&self, message: &Message, identity: &str) -> Result<(), Undelivered> {
        let title = header(&message.title(identity));
        let (urgency, tags) = match message.priority() {
            Priority::Critical => ("5", "rotating_light"),
            Priority::High => ("4", "warning"),
            Priority::Medium | Priority::Low => ("3", "memo"),
        };
        let headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Title", title.as_str()),
            ("Priority", urgency),
            ("Tags", tags),
        ];
        self.post(message.text().as_bytes(), &headers)
    }

    fn post(&self, body: &[u8], headers: &[(&str, &str)]) -> Result<(), Undelivered> {
        let roots = match &self.ca {
            Some(path) => RootCerts::Specific(Arc::new(certificates(path)?)),
            None => RootCerts::PlatformVerifier,
        };
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(ALERTS_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(PROGRAM.replace(' ', "/"))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build()
            .new_agent();
        let mut request = agent.post(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(path) = &self.token {
            request = request.header("Authorization", format!("Bearer {}", token(path)?));
        }
        match request.send(body) {
            Ok(response) => judge(response.status().as_u16()),
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                Err(Undelivered::Never(error.to_string()))
            }
            Err(error) => Err(Undelivered::Later(error.to_string())),
        }
    }
}

/// What an answer means: too busy and out of order pass, a refusal does not.
fn judge(status: u16) -> Result<(), Undelivered> {
    match status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(Undelivered::Later(format!("answered {status}"))),
        300..=399 => Err(Undelivered::Never(format!(
            "answered {status}: it sends elsewhere; configure where it sends to"
        ))),
        _ => Err(Undelivered::Never(format!("answered {status}: look at its address and token"))),
    }
}

/// A header's value: what may not stand in one is left out.
fn header(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(200).collect()
}

fn small(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Undelivered> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max).read_to_end(&mut bytes))
        .map_err(|error| Undelivered::Later(format!("{}: {error}", path.display())))?;
    Ok(bytes)
}

/// The first line of a file.
fn token(path: &Path) -> Result<String, Undelivered> {
    let bytes = small(path, TOKEN_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = header(text.lines().next().unwrap_or_default().trim());
    match line.is_empty() {
        true => Err(Undelivered::Later(format!("{}: holds no token", path.display()))),
        false => Ok(line),
    }
}

/// Every certificate of a PEM file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Undelivered> {
    let bytes = small(path, CA_BYTES_MAX)?;
    let all: Vec<Certificate<'static>> = ureq::tls::parse_pem(&bytes)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match all.is_empty() {
        true => Err(Undelivered::Later(format!("{}: holds no certificate", path.display()))),
        false => Ok(all),
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
