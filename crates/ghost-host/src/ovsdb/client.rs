//! The connection: requests with their answers, and what the server tells between them.

use super::frame::Splitter;
use super::table::{Tables, Update};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// No message is longer: ten thousand ports are some megabytes.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// How many things the server may tell while an answer is waited for.
const WAITING_MAX: usize = 4096;
/// How long the server may be silent while it owes an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the database could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OvsdbError {
    /// The socket can't be opened: is ovsdb-server running, and may this user open it?
    #[error("can't connect: {0}")]
    Connect(io::Error),
    /// The connection broke: connect again.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// The server ended the connection: connect again.
    #[error("the server closed the connection")]
    Closed,
    /// The server owes an answer and is silent.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// What came is not what RFC 7047 says.
    #[error("not understood: {0}")]
    Strange(String),
    /// The database refused; its words.
    #[error("refused: {0}")]
    Refused(String),
}

/// Columns of a table to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch<'a> {
    pub table: &'a str,
    pub columns: &'a [&'a str],
}

/// A connection to an OVSDB server.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    splitter: Splitter,
    last_id: u64,
    updates: VecDeque<Update>,
}

impl Client {
    /// Connects to a server's Unix socket.
    ///
    /// # Errors
    ///
    /// [`OvsdbError::Connect`].
    pub fn connect(path: &Path) -> Result<Client, OvsdbError> {
        let stream = UnixStream::connect(path).map_err(OvsdbError::Connect)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(OvsdbError::Connect)?;
        stream.set_nonblocking(true).map_err(OvsdbError::Connect)?;
        let splitter = Splitter::new(MESSAGE_BYTES_MAX);
        Ok(Client { stream, splitter, last_id: 0, updates: VecDeque::new() })
    }

    /// Does all of `operations` (RFC 7047, 5.2) or none; their results.
    ///
    /// # Errors
    ///
    /// [`OvsdbError::Refused`] with the first reason why they were not done, else the
    /// connection's.
    pub fn transact(
        &mut self,
        database: &str,
        operations: &[Value],
    ) -> Result<Vec<Value>, OvsdbError> {
        let params: Vec<Value> =
            std::iter::once(json!(database)).chain(operations.iter().cloned()).collect();
        let Value::Array(results) = self.call("transact", Value::Array(params))? else {
            return Err(OvsdbError::Strange("transact without an array of results".into()));
        };
        // Errors stand among the results; that of the commit behind the last.
        if let Some(failed) = results.iter().find(|result| result.get("error").is_some()) {
            return Err(OvsdbError::Refused(reason(failed)));
        }
        Ok(results)
    }

    /// Replicates these columns, as far as the database has them: as they are now, and by
    /// [`receive`](Client::receive) from now on.
    ///
    /// # Errors
    ///
    /// [`OvsdbError::Refused`] when the database lacks one of the tables, else the connection's.
    pub fn monitor(&mut self, database: &str, watch: &[Watch<'_>]) -> Result<Tables, OvsdbError> {
        let schema = self.call("get_schema", json!([database]))?;
        let mut tables = Tables::of(&schema);
        let wanted: serde_json::Map<String, Value> = watch
            .iter()
            .map(|watch| {
                let columns = watch.columns.iter().copied();
                let has = |column: &&str| Tables::has(&schema, watch.table, column);
                let columns: Vec<&str> = columns.filter(has).collect();
                (watch.table.to_owned(), json!([{ "columns": columns }]))
            })
            .collect();
        self.updates.clear();
        let now = self.call("monitor_cond", json!([database, "ghostbridge", wanted]))?;
        if tables.apply(&Update(now)) {
            Ok(tables)
        } else {
            Err(OvsdbError::Strange("the first state of a monitor".into()))
        }
    }

    /// The next change of what is monitored, waited for as long as `timeout`; `None`: none came.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Update>, OvsdbError> {
        if let Some(update) = self.updates.pop_front() {
            return Ok(Some(update));
        }
        while let Some(message) = self.message(timeout)? {
            self.told(message)?;
            if let Some(update) = self.updates.pop_front() {
                return Ok(Some(update));
            }
        }
        Ok(None)
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, OvsdbError> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({ "method": method, "params": params, "id": id }))?;
        loop {
            let Some(mut message) = self.message(PATIENCE)? else { return Err(OvsdbError::Silent) };
            if message.get("method").is_some() {
                self.told(message)?;
                continue;
            }
            if message.get("id").and_then(Value::as_u64) != Some(id) {
                continue;
            }
            let error = message.get("error").filter(|error| !error.is_null());
            return match error {
                Some(error) => Err(OvsdbError::Refused(reason(error))),
                None => Ok(message.get_mut("result").map(Value::take).unwrap_or_default()),
            };
        }
    }

    /// A call or a notification by the server.
    fn told(&mut self, mut message: Value) -> Result<(), OvsdbError> {
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        match method.as_str() {
            // Unanswered, it takes us for dead.
            "echo" => {
                let answer = json!({
                    "id": message.get("id"),
                    "result": message.get("params"),
                    "error": Value::Null,
                });
                self.send(&answer)
            }
            "update2" => {
                if self.updates.len() >= WAITING_MAX {
                    return Err(OvsdbError::Strange("more updates than can be kept".into()));
                }
                let update = message.get_mut("params").and_then(|params| params.get_mut(1));
                self.updates.extend(update.map(|update| Update(update.take())));
                Ok(())
            }
            // Locks, stolen locks, cancelled monitors: none were asked for.
            _ => Ok(()),
        }
    }

    fn send(&mut self, message: &Value) -> Result<(), OvsdbError> {
        let bytes = message.to_string().into_bytes();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    if !self.ready(PollFlags::OUT, PATIENCE)? {
                        return Err(OvsdbError::Silent);
                    }
                }
                Err(err) => return Err(OvsdbError::Broken(err)),
            }
        }
        Ok(())
    }

    /// The next whole message, if one comes in time (counted from the last byte that came).
    fn message(&mut self, timeout: Duration) -> Result<Option<Value>, OvsdbError> {
        let mut buffer = [0u8; 16 << 10];
        loop {
            let next = self.splitter.next();
            let strange = |why: &str| OvsdbError::Strange(why.to_owned());
            if let Some(text) = next.map_err(|_| strange("a stream of something else"))? {
                let value =
                    serde_json::from_slice(&text).map_err(|err| strange(&err.to_string()))?;
                return Ok(Some(value));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(OvsdbError::Closed),
                Ok(read) => self.splitter.push(buffer.get(..read).unwrap_or_default()),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    if !self.ready(PollFlags::IN, timeout)? {
                        return Ok(None);
                    }
                }
                Err(err) => return Err(OvsdbError::Broken(err)),
            }
        }
    }

    fn ready(&self, what: PollFlags, timeout: Duration) -> Result<bool, OvsdbError> {
        let timeout = Timespec::try_from(timeout).ok();
        let mut fds = [PollFd::new(&self.stream, what)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(err) => Err(OvsdbError::Broken(err.into())),
        }
    }
}

/// To wait for the server together with other things; [`Client::receive`] with no timeout then
/// takes what came.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The server's words for an error: what, and why.
fn reason(error: &Value) -> String {
    let word = |key| error.get(key).and_then(Value::as_str);
    match (word("error"), word("details")) {
        (Some(what), Some(why)) => format!("{what}: {why}"),
        (Some(what), None) => what.to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that reads one request for each answer it was given, then closes.
    fn server(answers: Vec<Value>) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut splitter = Splitter::new(1 << 20);
            let mut buffer = [0; 4096];
            for answer in answers {
                loop {
                    if splitter.next().unwrap().is_some() {
                        break;
                    }
                    let read = stream.read(&mut buffer).unwrap();
                    splitter.push(&buffer[..read]);
                }
                stream.write_all(answer.to_string().as_bytes()).unwrap();
            }
        });
        (folder, path)
    }

    #[test]
    fn a_commit_that_fails_is_told_though_every_operation_went_well() {
        let (_folder, path) = server(vec![json!({
            "id": 1, "error": null,
            "result": [{"uuid": ["uuid", "a"]}, {"error": "constraint violation", "details": "two br0"}],
        })]);
        let mut client = Client::connect(&path).unwrap();
        let refused = client.transact("db", &[json!({})]).unwrap_err().to_string();
        assert_eq!(refused, "refused: constraint violation: two br0");
        assert!(matches!(client.receive(PATIENCE), Err(OvsdbError::Closed)));
    }

    #[test]
    fn an_echo_is_answered_while_an_answer_is_waited_for() {
        // The second request that this server reads is the answer to its echo.
        let (_folder, path) = server(vec![
            json!({"method": "echo", "params": [7], "id": "echo"}),
            json!({"id": 1, "result": [{}], "error": null}),
        ]);
        let mut client = Client::connect(&path).unwrap();
        assert_eq!(client.transact("db", &[]).unwrap(), [json!({})]);
    }

    #[test]
    fn what_is_no_ovsdb_is_told_as_such() {
        let (_folder, path) = server(vec![json!("HTTP/1.1 400 Bad Request")]);
        let mut client = Client::connect(&path).unwrap();
        assert!(matches!(client.transact("db", &[]), Err(OvsdbError::Strange(_))));
        let missing = Client::connect(Path::new("/nonexistent/db.sock"));
        assert!(matches!(missing, Err(OvsdbError::Connect(_))));
    }
}
