//! A client that does not read its answers is not listened to, and what it has asked for is not worked on.
//!
//! A WebSocket client may send as many requests as it likes before it reads an answer, and answers may be large. Here
//! a connection is blocked while bytes for the client cannot be sent: nothing is read from it meanwhile ([`Gate`]), and
//! requests that were read wait before they run ([`Blocked::over`]).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};

/// A connection's socket.
pub(super) struct Gate<S> {
    socket: S,
    blocked: watch::Sender<bool>,
    reader: Option<Waker>,
}

/// Whether a connection is blocked.
#[derive(Clone)]
pub(super) struct Blocked(watch::Receiver<bool>);

impl Blocked {
    /// Waits until the connection is not blocked, or is gone.
    pub(super) async fn over(&mut self) {
        let _ = self.0.wait_for(|blocked| !blocked).await;
    }
}

impl<S> Gate<S> {
    pub(super) fn new(socket: S) -> (Self, Blocked) {
        let (blocked, receiver) = watch::channel(false);
        (Self { socket, blocked, reader: None }, Blocked(receiver))
    }

    fn written<T>(&mut self, result: Poll<T>) -> Poll<T> {
        let blocked = result.is_pending();
        if *self.blocked.borrow() != blocked {
            self.blocked.send_replace(blocked);
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if *self.blocked.borrow() {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::timeout,
    };

    #[tokio::test]
    async fn who_does_not_read_is_not_read() {
        let (mut client, socket) = duplex(4);
        let (mut gate, mut blocked) = Gate::new(socket);
        client.write_all(&[7]).await.unwrap();
        let soon = Duration::from_millis(20);
        timeout(soon, blocked.over()).await.unwrap();
        assert!(timeout(soon, gate.write_all(&[0; 8])).await.is_err());
        assert!(timeout(soon, blocked.over()).await.is_err());
        assert!(timeout(soon, gate.read_u8()).await.is_err());

        client.read_exact(&mut [0; 4]).await.unwrap();
        gate.write_all(&[0; 4]).await.unwrap();
        timeout(soon, blocked.over()).await.unwrap();
        assert_eq!(gate.read_u8().await.unwrap(), 7);
    }
}
