//! Messages against real servers on loopback, plain and encrypted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::super::message::tests::alert;
use super::*;

/// One request as it came.
struct Request {
    head: String,
    body: String,
}

fn answer(stream: impl Read + Write, status: u16) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let told = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n"
    );
    reader.get_mut().write_all(told.as_bytes()).ok()?;
    reader.get_mut().flush().ok()?;
    Some(Request { head, body: String::from_utf8(body).ok()? })
}

/// A server that gives these answers, one a connection.
fn serve(statuses: &'static [u16], tls: bool) -> (u16, Receiver<Request>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = sync_channel(64);
    let thread = std::thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().unwrap();
            let request = if tls {
                let connection = rustls::ServerConnection::new(server()).unwrap();
                answer(rustls::StreamOwned::new(connection, stream), *status)
            } else {
                answer(stream, *status)
            };
            if let Some(request) = request {
                tell.send(request).unwrap();
            }
        }
    });
    (port, told, thread)
}

fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

fn server() -> Arc<rustls::ServerConfig> {
    let certificate = CertificateDer::from_pem_file(tls("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}

#[test]
fn a_webhook_gets_a_json_object_with_its_token() {
    let (port, told, thread) = serve(&[204], false);
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret\nnot this\n").unwrap();
    let target = Target::new(&format!("http://127.0.0.1:{port}/hook?a=b"), Some(token), None);
    target.webhook(&Message::One(alert(3, "port_scan", 7)), "gateway").unwrap();
    let request = told.recv().unwrap();
    assert!(request.head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{}", request.head);
    assert!(request.head.to_ascii_lowercase().contains("authorization: bearer s3cret\r\n"));
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!((&body["type"], &body["host"]), (&"incident".into(), &"gateway".into()));
    assert_eq!(body["incident"]["id"], "7.3");
    assert_eq!(body["incident"]["behaviours"][0], "port_scan");
    assert_eq!(body["incident"]["source"], "10.0.0.7");
    thread.join().unwrap();
}

#[test]
fn https_is_spoken_and_a_certificate_that_nobody_trusts_is_refused() {
    let (port, told, thread) = serve(&[200, 200], true);
    let url = format!("https://127.0.0.1:{port}/");
    let message = Message::One(alert(1, "sweep", 1));
    // Not signed by anybody that this system knows.
    let refused = Target::new(&url, None, None).webhook(&message, "gw").unwrap_err();
    assert!(matches!(refused, Undelivered::Later(_)), "{refused:?}");
    Target::new(&url, None, Some(tls("ca.pem"))).webhook(&message, "gw").unwrap();
    assert!(told.recv().unwrap().body.contains("\"sweep\""));
    thread.join().unwrap();
}

#[test]
fn ntfy_gets_a_title_and_an_urgency() {
    let (port, told, thread) = serve(&[200], false);
    let target = Target::new(&format!("http://127.0.0.1:{port}/topic"), None, None);
    target.ntfy(&Message::One(alert(3, "port_scan", 7)), "gateway").unwrap();
    let request = told.recv().unwrap();
    let head = request.head.to_ascii_lowercase();
    assert!(head.contains("title: gateway: port scan on the network\r\n"), "{head}");
    assert!(head.contains("priority: 5\r\n"));
    assert!(request.body.starts_with("port scan from 10.0.0.7 to 10.0.0.200"));
    thread.join().unwrap();
}

#[test]
fn what_another_try_may_better_is_tried_again_and_nothing_is_sent_elsewhere() {
    let (port, _told, thread) = serve(&[503, 429, 404, 302], false);
    let target = Target::new(&format!("http://127.0.0.1:{port}/"), None, None);
    let send = || target.webhook(&Message::One(alert(1, "sweep", 1)), "gw").unwrap_err();
    assert!(matches!(send(), Undelivered::Later(_)));
    assert!(matches!(send(), Undelivered::Later(_)));
    assert!(matches!(send(), Undelivered::Never(_)));
    assert!(matches!(send(), Undelivered::Never(_)), "a redirect");
    thread.join().unwrap();
    assert!(matches!(send(), Undelivered::Later(_)), "nobody listens any more");
}

#[test]
fn a_missing_token_or_certificate_is_told_and_tried_again() {
    let message = Message::One(alert(1, "sweep", 1));
    let missing = || Some(PathBuf::from("/nonexistent/file"));
    for target in [
        Target::new("http://127.0.0.1:1/", missing(), None),
        Target::new("https://127.0.0.1:1/", None, missing()),
    ] {
        let Err(Undelivered::Later(why)) = target.webhook(&message, "gw") else {
            panic!("it was sent")
        };
        assert!(why.contains("/nonexistent/file"), "{why}");
    }
}

#[test]
fn what_may_not_stand_in_a_header_is_left_out() {
    assert_eq!(header("a\r\nX: b\u{e9}\u{202e}"), "aX: b");
}
