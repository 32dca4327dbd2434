// SPDX-License-Identifier: MIT OR Apache-2.0
//! Answers Prometheus' requests, one at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use crate::error::Error;
use crate::interrupt::{self, NOTICE};
use crate::open_metrics::MEDIA_TYPE;
use crate::port::wait_for;

/// Longest head of a request.
const HEAD_MAX: usize = 4096;

/// Longest time in which a client sends its request, and in which it takes a part of the answer.
const CLIENT: Duration = Duration::from_secs(5);

const PLAIN: &str = "text/plain; charset=utf-8";

/// A socket that answers `GET /metrics`.
#[derive(Debug)]
pub struct Server(TcpListener);

impl Server {
    /// Listens at an address.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers requests until the program is to end. An error of `collect` is the answer to its
    /// request, unless the program is to end.
    pub fn serve(&self, collect: &mut dyn FnMut() -> Result<String, Error>) -> Result<(), Error> {
        loop {
            interrupt::check()?;
            let ready = wait_for(self.0.as_fd(), PollFlags::POLLIN, NOTICE).unwrap_or(false);
            if !ready {
                continue;
            }
            match self.0.accept() {
                // A client that goes away harms no other one.
                Ok((stream, _)) => drop(answer(stream, collect)?),
                // Too many files are open, or the client has gone.
                Err(_) => std::thread::sleep(NOTICE),
            }
        }
    }
}

/// Answers one request. The outer error ends the program, the inner one the connection.
fn answer(
    mut stream: TcpStream,
    collect: &mut dyn FnMut() -> Result<String, Error>,
) -> Result<io::Result<()>, Error> {
    let target = match stream
        .set_nonblocking(false)
        .and_then(|()| target(&mut stream))
    {
        Ok(target) => target,
        Err(error) => return Ok(Err(error)),
    };
    let (status, kind, body) = match target {
        Target::Metrics => match collect() {
            Ok(text) => ("200 OK", MEDIA_TYPE, text),
            Err(error @ Error::Interrupted(_)) => return Err(error),
            Err(error) => ("503 Service Unavailable", PLAIN, format!("{error}\n")),
        },
        Target::Other => ("404 Not Found", PLAIN, "see /metrics\n".into()),
        Target::Method => ("405 Method Not Allowed", PLAIN, "only GET\n".into()),
        Target::Bad => ("400 Bad Request", PLAIN, "not a request of HTTP/1\n".into()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    let sent = stream
        .set_write_timeout(Some(CLIENT))
        .and_then(|()| stream.write_all((head + &body).as_bytes()));
    Ok(sent)
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Metrics,
    Other,
    Method,
    Bad,
}

/// Reads the head of a request.
fn target(stream: &mut TcpStream) -> io::Result<Target> {
    let deadline = Instant::now() + CLIENT;
    let mut head = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => head.extend(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(read(&head));
        }
        if head.len() > HEAD_MAX {
            return Ok(Target::Bad);
        }
    }
}

fn read(head: &[u8]) -> Target {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let words: Vec<_> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return Target::Bad;
    };
    let path = target.split(|&byte| byte == b'?').next();
    match (method, path) {
        _ if !version.starts_with(b"HTTP/1.") => Target::Bad,
        (b"GET", Some(b"/metrics")) => Target::Metrics,
        (b"GET", _) => Target::Other,
        _ => Target::Method,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered to these bytes.
    fn asked(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        // A server that is gone has not answered.
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn one_path_is_answered_and_all_else_refused_within_limits() {
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.address().unwrap();
        let client = std::thread::spawn(move || {
            let whole = asked(address, b"GET /metrics?x HTTP/1.1\r\nHost: a\r\n\r\n");
            let fails = asked(address, b"GET /metrics HTTP/1.0\r\n\r\n");
            let refused = [
                &b"GET / HTTP/1.1\r\n\r\n"[..],
                b"POST /metrics HTTP/1.1\r\n\r\n",
                b"GET /metrics\r\n\r\n",
                &[b'x'; HEAD_MAX + 1],
            ]
            .map(|bytes| asked(address, bytes));
            // One that says nothing and goes.
            drop(TcpStream::connect(address).unwrap());
            asked(address, b"GET /metrics HTTP/1.1\r\n\r\n");
            (whole, fails, refused)
        });
        let mut answers = 0;
        let end = server.serve(&mut || {
            answers += 1;
            match answers {
                1 => Ok("# EOF\n".into()),
                2 => Err(Error::NoAnswer),
                _ => Err(Error::Interrupted(15)),
            }
        });
        assert!(matches!(end, Err(Error::Interrupted(15))));
        let (whole, fails, refused) = client.join().unwrap();
        assert!(whole.starts_with("HTTP/1.1 200 OK\r\n"), "{whole}");
        assert!(whole.contains(MEDIA_TYPE) && whole.ends_with("\r\n\r\n# EOF\n"));
        assert!(whole.contains("Content-Length: 6\r\n"));
        assert!(fails.starts_with("HTTP/1.1 503 "), "{fails}");
        assert!(fails.ends_with(&format!("{}\n", Error::NoAnswer)));
        for (answer, code) in refused.iter().zip([404, 405, 400, 400]) {
            assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
        }
    }
}
