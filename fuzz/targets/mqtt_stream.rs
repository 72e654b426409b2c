//! A client's bytes against the server's side of one connection: whatever they are, the
//! peer keeps its bounds, and after a fault nothing follows.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use transport::{
    Limits,
    mqtt::{Event, Peer, Reason, Version},
};

const PACKET_LEN_MAX: usize = 4_096;
const RECEIVE_MAX: u16 = 8;

fuzz_target!(|data: &[u8]| {
    // The first byte says how the stream is cut and how the client is treated.
    let [how, stream @ ..] = data else { return };
    let (is_refused, is_answered) = (how & 1 != 0, how & 2 == 0);
    let cut = usize::from(how >> 2).max(1);
    let limits =
        Limits { packet_len_max: PACKET_LEN_MAX, receive_max: RECEIVE_MAX, ..Limits::default() };
    let mut peer = Peer::new(Arc::new(limits));
    let mut out = Vec::new();
    for chunk in stream.chunks(cut) {
        peer.push(chunk);
        loop {
            match peer.next(&mut out) {
                Ok(None) => break,
                Ok(Some(Event::Connect(_))) if is_refused => {
                    peer.refuse(Reason::NotAuthorized, "no", &mut out);
                }
                Ok(Some(Event::Connect(_))) => peer.accept_plainly(&mut out),
                Ok(Some(Event::Publish(publication))) => {
                    if let Some(id) = publication.packet_id().filter(|_| is_answered) {
                        peer.acknowledge_for_fuzzing(id, &mut out);
                    }
                }
                Ok(Some(_)) => {}
                Err(_) => {
                    peer.push(chunk);
                    assert_eq!(peer.next(&mut out), Ok(None), "something followed a fault");
                    return;
                }
            }
        }
        assert!(peer.held() <= PACKET_LEN_MAX + cut, "more is held than a packet");
        if peer.version() == Some(Version::V5) {
            assert!(peer.window() <= usize::from(RECEIVE_MAX), "the window is not kept");
        }
        out.clear();
    }
});
