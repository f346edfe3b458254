//! A connection's bytes: an answer that is not read is given up, and hyper's own answers get a body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

use super::HEAD;
use crate::app::problem;
use crate::metrics::{Closed, Metrics};

/// A TCP connection whose client has to read.
pub(super) struct Stream {
    tcp: TcpStream,
    metrics: Arc<Metrics>,
    /// The time a client may take to read what was written.
    limit: Duration,
    /// Ends when the client has taken too long; there while something is left to be read.
    patience: Option<Pin<Box<Sleep>>>,
    /// Written in place of what hyper wrote, and how much of it is.
    instead: Option<(Vec<u8>, usize)>,
    has_failed: bool,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, limit: Duration, metrics: Arc<Metrics>) -> Self {
        Self { tcp, metrics, limit, patience: None, instead: None, has_failed: false }
    }

    /// True if nothing more can be written.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Sends the last answer; false if it cannot be sent.
    pub(super) async fn send(&mut self, answer: &[u8]) -> bool {
        matches!(timeout(self.limit, self.tcp.write_all(answer)).await, Ok(Ok(())))
    }

    /// Closes the connection so that the client gets to see the last answer: what it has sent and
    /// nobody read would make the system take the answer back.
    pub(super) async fn finish(mut self, most: usize, limit: Duration, pause: Duration) {
        if self.has_failed || self.tcp.shutdown().await.is_err() {
            return;
        }
        let drain = async {
            let mut buffer = vec![0; HEAD];
            let mut left = most;
            while let Ok(Ok(read @ 1..)) = timeout(pause, self.tcp.read(&mut buffer)).await {
                left = left.saturating_sub(read);
                if left == 0 {
                    return;
                }
            }
        };
        let _ = timeout(limit, drain).await;
    }

    /// Whether the client may take longer for what was written.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let limit = self.limit;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(patience.as_mut().poll(cx));
        self.metrics.closed(Closed::Answer);
        self.fail(io::Error::new(io::ErrorKind::TimedOut, "the client does not read"))
    }

    fn fail(&mut self, error: io::Error) -> Poll<io::Result<usize>> {
        self.has_failed = true;
        Poll::Ready(Err(error))
    }

    fn write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.tcp).poll_write(cx, bytes) {
            Poll::Ready(Ok(written)) => Poll::Ready(Ok(written)),
            Poll::Ready(Err(error)) => self.fail(error),
            Poll::Pending => self.wait(cx),
        }
    }

    /// Writes the answer that stands for these bytes of hyper's.
    fn write_instead(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        while let Some((answer, written)) = self.instead.take() {
            if written == answer.len() {
                self.instead = None;
                return Poll::Ready(Ok(bytes.len()));
            }
            match self.write_some(cx, &answer[written..]) {
                Poll::Ready(Ok(more)) => self.instead = Some((answer, written + more)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.instead = Some((answer, written));
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_some() {
            return self.write_instead(cx, bytes);
        }
        match bodiless_refusal(bytes) {
            // First what is before it.
            Some((at @ 1.., _)) => self.write_some(cx, &bytes[..at]),
            Some((_, status)) => {
                let (status, code, message) = malformed(status);
                self.metrics.answered(status);
                self.metrics.closed(Closed::Malformed);
                tracing::info!(status, "no HTTP request");
                self.instead = Some((answer(status, &problem(status, code, message)), 0));
                self.write_instead(cx, bytes)
            }
            None => self.write_some(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.first().map_or(&[][..], |slice| slice);
        // A refusal of hyper's has nothing behind it.
        if self.instead.is_some() || slices.len() == 1 || bodiless_refusal(first).is_some() {
            return self.poll_write(cx, first);
        }
        match Pin::new(&mut self.tcp).poll_write_vectored(cx, slices) {
            Poll::Ready(Ok(written)) => Poll::Ready(Ok(written)),
            Poll::Ready(Err(error)) => self.fail(error),
            Poll::Pending => self.wait(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // All that there was is written.
        self.patience = None;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Where in these bytes hyper's own answer to what is no HTTP begins, and its status. It is the
/// last thing hyper writes, and the only refusal without a body: the service sends none.
fn bodiless_refusal(bytes: &[u8]) -> Option<(usize, u16)> {
    const LONGEST: usize = 256;
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let from = bytes.len().saturating_sub(LONGEST);
    let at = from + bytes[from..].windows(9).rposition(|window| window == b"HTTP/1.1 ")?;
    let head = str::from_utf8(&bytes[at..]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    (matches!(status, 400..500) && head.contains("\r\ncontent-length: 0\r\n"))
        .then_some((at, status))
}

/// A status with its code, and what hyper found wrong.
pub(super) const fn malformed(status: u16) -> (u16, &'static str, &'static str) {
    let (code, message) = match status {
        414 => ("uriTooLong", "the address of the request is too long"),
        431 => (
            "requestHeaderFieldsTooLarge",
            "the head of a request may have 16384 bytes and 100 fields",
        ),
        _ => ("badRequest", "this is not an HTTP/1.1 request"),
    };
    (status, code, message)
}

/// An answer that ends the connection.
pub(super) fn answer(status: u16, body: &str) -> Vec<u8> {
    let phrase = axum::http::StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason());
    format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        phrase.unwrap_or_default(),
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hypers_own_refusals_are_found() {
        let refusal = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                       content-length: 0\r\ndate: Sat, 21 Nov 2026 09:30:00 GMT\r\n\r\n";
        let before = "HTTP/1.1 204 No Content\r\ndate: Sat, 21 Nov 2026 09:30:00 GMT\r\n\r\n";
        assert_eq!(bodiless_refusal(refusal.as_bytes()), Some((0, 431)));
        let both = [before, refusal].concat();
        assert_eq!(bodiless_refusal(both.as_bytes()), Some((before.len(), 431)));
        for other in [
            before,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 12\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "{\"a\":\"HTTP/1.1 400 \"}",
            "",
        ] {
            assert_eq!(bodiless_refusal(other.as_bytes()), None, "{other}");
        }
    }
}
