//! HTTP by hand, so that a test can send what no client would.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod process;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// A connection. A read that takes this long has failed: nothing here waits for that.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn new(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("the service listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        Self { stream: BufReader::new(stream) }
    }

    /// From this address of the machine.
    pub(crate) fn from(source: IpAddr, to: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let stream = runtime.expect("a runtime").block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind((source, 0).into())?;
            socket.connect(to).await?.into_std()
        });
        let stream = stream.expect("the service listens");
        stream.set_nonblocking(false).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the service reads");
    }

    /// Sends what there is while the service takes it.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    pub(crate) fn stop_writing(&mut self) {
        let _ = self.stream.get_mut().shutdown(std::net::Shutdown::Write);
    }

    /// The next answer; `None` if the connection is closed.
    pub(crate) fn read(&mut self) -> Option<Answer> {
        self.read_after(false)
    }

    /// The next answer, to a HEAD.
    pub(crate) fn read_head(&mut self) -> Option<Answer> {
        self.read_after(true)
    }

    fn read_after(&mut self, is_head: bool) -> Option<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line().expect("a head has an end");
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, length)| length.parse().expect("a number"));
        let mut body = vec![0; if is_head { 0 } else { length }];
        self.stream.read_exact(&mut body).expect("the body is whole");
        let body = String::from_utf8(body).expect("text");
        Some(Answer { status: status.expect("a status line"), headers, body })
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            // What was sent too much is answered with a reset.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("the service answers: {error}"),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The message of an error in Graph's shape.
    #[track_caller]
    pub(crate) fn message(&self) -> String {
        let json = self.json();
        assert_eq!(json["error"]["innerError"]["status"], self.status);
        assert!(json["error"]["code"].is_string());
        assert_eq!(self.header("content-type"), Some("application/json"));
        json["error"]["message"].as_str().expect("a message").to_owned()
    }
}

/// A request's bytes; `headers` are whole lines.
pub(crate) fn request(method: &str, to: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let lines: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let head = format!("{method} {to} HTTP/1.1\r\n{lines}{length}\r\n");
    [head.as_bytes(), body].concat()
}
