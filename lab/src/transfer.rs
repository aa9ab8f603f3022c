//! One TCP connection, many bytes each way, each direction's SHA-256 compared: the test that a
//! wrong checksum, a cut super-frame or a reordered segment does not pass.

use crate::{LabError, Namespace};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// No step of a transfer may take longer without a byte moving.
const STALL: Duration = Duration::from_secs(20);
const BLOCK: usize = 1 << 17;

/// What a transfer carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes each way.
    pub bytes: u64,
    /// Of what the client sent, as the server saw it.
    pub up: [u8; 32],
    /// Of what the server sent, as the client saw it.
    pub down: [u8; 32],
}

/// Sends `bytes` from `client` to a server in `server` at `address`, then as many back (other
/// bytes), on one connection.
///
/// # Errors
///
/// [`LabError::Wrong`] when a digest differs from the sender's; [`LabError::Io`] when the connection
/// can't be made or stalls.
pub fn transfer(
    client: &Namespace,
    server: &Namespace,
    address: SocketAddr,
    bytes: u64,
) -> Result<Transfer, LabError> {
    let listener = server
        .within(|| TcpListener::bind(address))?
        .map_err(LabError::io(format!("listen at {address} in {}", server.name())))?;
    // The port may have been left to the kernel's choice.
    let address = listener.local_addr().map_err(LabError::io("the listener's address"))?;
    let (served, asked) = std::thread::scope(|scope| {
        let served = scope.spawn(move || serve(&listener, bytes));
        let asked = client.within(|| ask(address, bytes));
        if !matches!(asked, Ok(Ok(_))) {
            // The server may wait for a connection that will not come: knock from where it stands.
            let _ = server.within(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)));
        }
        (served.join(), asked)
    });
    let (sent_up, got_down) =
        asked?.map_err(LabError::io(format!("TCP from {} to {address}", client.name())))?;
    let (got_up, sent_down) = match served {
        Ok(served) => served.map_err(LabError::io(format!("TCP served at {address}")))?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    if sent_up != got_up {
        return Err(LabError::Wrong(format!("{bytes} bytes to {address} did not arrive as sent")));
    }
    if sent_down != got_down {
        return Err(LabError::Wrong(format!(
            "{bytes} bytes from {address} did not arrive as sent"
        )));
    }
    Ok(Transfer { bytes, up: got_up, down: got_down })
}

type Digests = ([u8; 32], [u8; 32]);

/// The client: sends first, then receives. (sent, got)
fn ask(address: SocketAddr, bytes: u64) -> std::io::Result<Digests> {
    let mut stream = TcpStream::connect_timeout(&address, STALL)?;
    impatient(&stream)?;
    let sent = send(&mut stream, bytes, 1)?;
    let got = receive(&mut stream, bytes)?;
    Ok((sent, got))
}

/// The server: receives first, then sends. (got, sent)
fn serve(listener: &TcpListener, bytes: u64) -> std::io::Result<Digests> {
    let (mut stream, _) = listener.accept()?;
    impatient(&stream)?;
    let got = receive(&mut stream, bytes)?;
    let sent = send(&mut stream, bytes, 2)?;
    Ok((got, sent))
}

fn impatient(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(STALL))?;
    stream.set_write_timeout(Some(STALL))
}

/// Sends a stream of which no two blocks are alike; its digest.
fn send(stream: &mut TcpStream, bytes: u64, seed: u64) -> std::io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut block = vec![0u8; BLOCK];
    let mut state = seed;
    for word in block.chunks_exact_mut(8) {
        // xorshift64*: enough that no compressor and no swap of segments stays unseen.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        word.copy_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    let mut left = bytes;
    while left > 0 {
        block[..8].copy_from_slice(&left.to_le_bytes());
        let part = &block[..usize::try_from(left).unwrap_or(BLOCK).min(BLOCK)];
        stream.write_all(part)?;
        hasher.update(part);
        left -= part.len() as u64;
    }
    Ok(hasher.finalize().into())
}

fn receive(stream: &mut TcpStream, bytes: u64) -> std::io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut block = vec![0u8; BLOCK];
    let mut left = bytes;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let got = stream.read(&mut block[..want])?;
        if got == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&block[..got]);
        left -= got as u64;
    }
    Ok(hasher.finalize().into())
}
