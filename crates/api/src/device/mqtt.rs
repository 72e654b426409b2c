//! MQTT over WebSocket: subprotocol `mqtt`, binary frames, a packet anywhere in them
//! (MQTT 5.0, section 6). The session is the same as over TLS.

use std::sync::Arc;

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
use tokio::io::{
    AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};

use super::speaker::Speaker;
use crate::{
    Api,
    limits::{DEVICE_FRAME_LEN_MAX, DEVICE_PIPE_LEN},
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
        let (ours, theirs) = duplex(DEVICE_PIPE_LEN);
        let Speaker { identity, remote, .. } = speaker;
        let session = mqtt.serve(theirs, (*identity).clone(), remote, &api.revocations);
        tokio::join!(session, carry(socket, ours));
    })
}

/// Carries bytes both ways until the session has ended and all that it said is out.
async fn carry(socket: WebSocket, pipe: DuplexStream) {
    let (out, into) = socket.split();
    let (from_session, to_session) = split(pipe);
    tokio::select! {
        // Whoever hung up hears nothing more; the session notices by the end of its bytes.
        () = carry_in(into, to_session) => {}
        () = carry_out(from_session, out) => {}
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

async fn carry_out(mut session: ReadHalf<DuplexStream>, mut socket: SplitSink<WebSocket, Message>) {
    let mut buffer = vec![0; DEVICE_PIPE_LEN];
    loop {
        match session.read(&mut buffer).await {
            Ok(len @ 1..) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..len).unwrap_or_default());
                if socket.send(Message::Binary(bytes)).await.is_err() {
                    return;
                }
            }
            Ok(0) | Err(_) => {
                let close = CloseFrame { code: 1000, reason: "".into() };
                let _ = socket.send(Message::Close(Some(close))).await;
                return;
            }
        }
    }
}
