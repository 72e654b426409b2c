//! A stream whose writes have to move: an end that takes nothing for too long is cut off.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// Ends writing with an error once nothing could be written for so long.
///
/// It wraps the socket itself, below TLS and WebSocket, so that all of them are bounded.
pub(crate) struct Moving<S> {
    stream: S,
    within: Duration,
    /// Until when a write that waits may go on waiting.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Moving<S> {
    pub(crate) const fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, patience: None }
    }

    fn patiently<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.patience = None;
            return polled;
        }
        let within = self.within;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(within)));
        patience.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Moving<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Moving<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.patiently(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket holds nothing back; what waits, waits in a write.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.patiently(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[tokio::test]
async fn a_write_that_moves_may_take_long_and_one_that_does_not_ends() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    let within = Duration::from_millis(200);
    let (stream, mut other) = duplex(1);
    let mut moving = Moving::new(stream, within);
    // Each byte waits for the one before it to be read, which all together takes longer.
    let reads = tokio::spawn(async move {
        for _ in 0..5 {
            sleep(within / 4).await;
            other.read_u8().await.unwrap();
        }
        other
    });
    moving.write_all(&[7; 6]).await.unwrap();
    let _other = reads.await.unwrap();
    let stuck = tokio::time::timeout(Duration::from_secs(10), moving.write_all(&[7; 6])).await;
    assert_eq!(stuck.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
}
