//! Every bound of a door, in one place, so that a test can shorten a wait and
//! exceed each of them.

use std::time::Duration;

/// What one listener and one connection may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; one more is closed before its handshake.
    pub connections_max: usize,
    /// Connections in their TLS handshake at once.
    pub handshakes_max: usize,
    /// How long a handshake may take, and how long a peer may say nothing before it.
    pub handshake_max: Duration,
    /// After how long a handshake gives way to a newcomer when all places are taken.
    pub handshake_gives_way_after: Duration,
    /// How long somebody waits for a place.
    pub handshake_waits_max: Duration,
    /// How long a client may take from its handshake to its CONNECT.
    pub connect_max: Duration,
    /// How long a clean start waits, at most, until it is kept that the session before is over.
    pub admission_waits_max: Duration,
    /// The longest keep alive that a client of MQTT 5 gets, in seconds.
    pub keep_alive_max_s: u16,
    /// After how long a silent client of MQTT 3.1.1 without a keep alive is closed.
    pub idle_max: Duration,
    /// Messages of QoS 1 and 2 that one client may have unfinished.
    pub receive_max: u16,
    /// Messages of any QoS that one connection may have waiting for an answer.
    pub unanswered_max: usize,
    /// How long a client waits, at most, after a message that storage could not take.
    pub never_answered_max: Duration,
    /// The longest packet, in bytes, its header included.
    pub packet_len_max: usize,
    /// The longest topic or filter, in bytes.
    pub topic_len_max: usize,
    /// The most levels of a topic or filter.
    pub topic_levels_max: usize,
    /// Filters of one session.
    pub filters_max: usize,
    /// Topic aliases of one connection in each direction.
    pub topic_aliases_max: u16,
    /// The longest time that a session outlives its connection, in seconds.
    pub session_expiry_max_s: u32,
    /// Client ids of one device.
    pub sessions_per_device_max: usize,
    /// The longest client id, in bytes.
    pub client_id_len_max: usize,
    /// Messages that wait for one client.
    pub queue_len_max: usize,
    /// Bytes that wait for one client.
    pub queue_bytes_max: usize,
    /// Bytes that wait for all clients together; beyond it the session that holds most is lost.
    pub queues_bytes_max: usize,
    /// Sessions whose lost records are remembered to be said again; further ones wait for the
    /// next record of their session.
    pub said_again_max: usize,
    /// Sessions whose lost records are said again at once.
    pub said_again_at_once_max: usize,
    /// Retained messages of one device.
    pub retained_per_device_max: usize,
    /// Bytes of all retained messages of one device.
    pub retained_bytes_per_device_max: usize,
    /// Retained messages that one SUBSCRIBE brings.
    pub retained_at_once_max: usize,
    /// Bytes that wait for one socket, beyond which nothing is read from it.
    pub out_bytes_max: usize,
    /// Arrivals that wait for the loop that draws them.
    pub arrivals_max: usize,
    /// How long a closing connection may take to hear the reason.
    pub farewell_max: Duration,
    /// Bytes that a peer may send behind its fault before the line is cut.
    pub heard_out_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            handshakes_max: 512,
            handshake_max: Duration::from_secs(10),
            handshake_gives_way_after: Duration::from_secs(2),
            handshake_waits_max: Duration::from_secs(30),
            connect_max: Duration::from_secs(10),
            admission_waits_max: Duration::from_millis(200),
            keep_alive_max_s: 60,
            idle_max: Duration::from_secs(300),
            receive_max: 64,
            unanswered_max: 256,
            never_answered_max: Duration::from_secs(5),
            packet_len_max: 256 * 1024,
            topic_len_max: 512,
            topic_levels_max: 16,
            filters_max: 200,
            topic_aliases_max: 16,
            session_expiry_max_s: 7 * 86_400,
            sessions_per_device_max: 8,
            client_id_len_max: 128,
            queue_len_max: 10_000,
            queue_bytes_max: 16 * 1024 * 1024,
            queues_bytes_max: 256 * 1024 * 1024,
            said_again_max: 65_536,
            said_again_at_once_max: 256,
            retained_per_device_max: 1_024,
            retained_bytes_per_device_max: 4 * 1024 * 1024,
            retained_at_once_max: 4_096,
            out_bytes_max: 64 * 1024,
            arrivals_max: 4_096,
            farewell_max: Duration::from_secs(5),
            heard_out_max: 1 << 20,
        }
    }
}

impl Limits {
    /// The same with no more connections than three quarters of the files that the process may
    /// have open: the rest is for everything else, so that a crowd at this door cannot take
    /// the sockets of the others.
    pub fn within_files(self, files: u64) -> Self {
        let fit = usize::try_from(files.saturating_sub(files / 4)).unwrap_or(usize::MAX);
        Self { connections_max: self.connections_max.min(fit), ..self }
    }
}

#[test]
fn a_crowd_cannot_take_all_the_files_that_there_are() {
    for (files, connections) in
        [(0, 0), (4, 3), (1_024, 768), (26_666, 20_000), (26_667, 20_000), (u64::MAX, 20_000)]
    {
        let limits = Limits::default().within_files(files);
        assert_eq!(limits.connections_max, connections, "{files} files");
    }
}
