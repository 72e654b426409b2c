//! MQTT over WebSocket: subprotocol `mqtt`, binary frames, a packet anywhere in them
//! (MQTT 5.0, section 6). The session is the same as over TLS.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        State,
        ws::{
            CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
        },
    },
    response::{IntoResponse as _, Response},
};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    time::timeout,
};

use super::speaker::Speaker;
use crate::{
    Api,
    limits::{DEVICE_FAREWELL_WITHIN, DEVICE_FRAME_LEN_MAX, DEVICE_PIPE_LEN, WRITE_WITHIN},
    problem::Problem,
};

/// The subprotocol [MQTT-6.0.0-3].
const MQTT: &str = "mqtt";

pub(super) async fn open(
    State(api): State<Arc<Api>>,
    speaker: Speaker,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return Problem::bad_request("this is a WebSocket; ask for an upgrade").into_response();
    };
    let upgrade = upgrade
        .protocols([MQTT])
        .max_message_size(DEVICE_FRAME_LEN_MAX)
        .max_frame_size(DEVICE_FRAME_LEN_MAX);
    if upgrade.selected_protocol().is_none() {
        let problem = Problem::bad_request("the subprotocol is `mqtt`; offer it");
        return problem.into_response();
    }
    let Some(mqtt) = api.mqtt.clone() else {
        return Problem::not_found("no device connects by MQTT here").into_response();
    };
    upgrade.on_upgrade(move |socket| async move {
        // The connection has its place until all of this is over.
        let Speaker { identity, remote, place: _place, .. } = speaker;
        let (ours, theirs) = duplex(DEVICE_PIPE_LEN);
        let session = mqtt.serve(theirs, (*identity).clone(), remote, &api.revocations);
        hold(socket, ours, session, PATIENCE).await;
    })
}

/// How long a device may take nothing of what its session says.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// While the session goes on.
    send: Duration,
    /// From the session's end on, for all that it said until then.
    farewell: Duration,
}

const PATIENCE: Patience = Patience { send: WRITE_WITHIN, farewell: DEVICE_FAREWELL_WITHIN };

/// Holds a session over a WebSocket. When the session has ended, the socket does so soon: a
/// device that was put out and does not read keeps nothing.
async fn hold(
    socket: WebSocket,
    pipe: DuplexStream,
    session: impl Future<Output = ()>,
    Patience { send, farewell }: Patience,
) {
    let (mut session, mut carried) = (pin!(session), pin!(carry(socket, pipe, send)));
    tokio::select! {
        () = session.as_mut() => {
            let _ = timeout(farewell, carried).await;
        }
        () = carried.as_mut() => session.await,
    }
}

/// Carries bytes both ways until the session has ended and all that it said is out.
async fn carry(socket: WebSocket, pipe: DuplexStream, within: Duration) {
    let (out, into) = socket.split();
    let (from_session, to_session) = split(pipe);
    tokio::select! {
        // Whoever hung up hears nothing more; the session notices by the end of its bytes.
        () = carry_in(into, to_session) => {}
        () = carry_out(from_session, out, within) => {}
    }
}

async fn carry_in(mut socket: SplitStream<WebSocket>, mut session: WriteHalf<DuplexStream>) {
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(bytes) => {
                if session.write_all(&bytes).await.is_err() {
                    return std::future::pending().await;
                }
            }
            Message::Ping(_) | Message::Pong(_) => {}
            // A frame of text is no MQTT [MQTT-6.0.0-1].
            Message::Text(_) | Message::Close(_) => break,
        }
    }
    let _ = session.shutdown().await;
}

async fn carry_out(
    mut session: ReadHalf<DuplexStream>,
    mut socket: SplitSink<WebSocket, Message>,
    within: Duration,
) {
    let mut buffer = vec![0; DEVICE_PIPE_LEN];
    loop {
        let (message, is_last) = match session.read(&mut buffer).await {
            Ok(len @ 1..) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..len).unwrap_or_default());
                (Message::Binary(bytes), false)
            }
            Ok(0) | Err(_) => {
                (Message::Close(Some(CloseFrame { code: 1000, reason: "".into() })), true)
            }
        };
        let is_sent = matches!(timeout(within, socket.send(message)).await, Ok(Ok(())));
        if is_last || !is_sent {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use tokio::{
        net::{TcpListener, TcpSocket},
        sync::mpsc,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    /// Opens a WebSocket, reads nothing from it, and waits until what holds it is over.
    async fn is_over_for_one_who_never_reads(patience: Patience, session_gives_up: bool) {
        let (told, mut over) = mpsc::unbounded_channel();
        let open = async move |upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(async move |socket| {
                let (ours, mut theirs) = duplex(DEVICE_PIPE_LEN);
                let session = async move {
                    let much = vec![7; 1 << 20];
                    let says = async { while theirs.write_all(&much).await.is_ok() {} };
                    let within = if session_gives_up { Duration::from_secs(1) } else { LONG };
                    let _ = timeout(within, says).await;
                };
                hold(socket, ours, session, patience).await;
                told.send(()).unwrap();
            })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            axum::serve(listener, Router::new().route("/mqtt", get(open))).await
        });
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1_024).unwrap();
        let mut deaf = socket.connect(address).await.unwrap();
        let request = "GET /mqtt HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
            upgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        deaf.write_all(request.as_bytes()).await.unwrap();
        let over = timeout(Duration::from_secs(20), over.recv()).await;
        assert_eq!(over.ok().flatten(), Some(()), "{patience:?} is not kept");
        served.abort();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_socket_ends_soon_after_its_session_even_if_nobody_reads_it() {
        let patience = Patience { send: LONG, farewell: Duration::from_millis(100) };
        is_over_for_one_who_never_reads(patience, true).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_session_ends_once_its_device_takes_nothing_for_too_long() {
        let patience = Patience { send: Duration::from_millis(100), farewell: LONG };
        is_over_for_one_who_never_reads(patience, false).await;
    }
}
