//! Every bound of the people's side, in one place.

use std::time::Duration;

/// The longest body of a request, in bytes.
pub const BODY_LEN_MAX: usize = 256 * 1_024;
/// The most items on a page of a list.
pub const PAGE_LEN_MAX: usize = 200;
/// Items on a page when nobody asks.
pub const PAGE_LEN: usize = 50;
/// How long a request may take to be answered.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long a TLS handshake may take.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long a session lasts after sign-in.
pub const SESSION_LASTS: Duration = Duration::from_secs(12 * 3_600);
/// How long a one-time link may be used.
pub const INVITATION_LASTS: Duration = Duration::from_secs(7 * 86_400);
/// How long a new device certificate is valid.
pub const CERTIFICATE_LASTS: Duration = Duration::from_secs(2 * 365 * 86_400);
/// Passwords are hashed by so many threads at once; each takes 19 MiB for a moment.
pub const HASHES_AT_ONCE: usize = 2;
/// Wrong passwords for one login before it has to wait.
pub const WRONG_PASSWORDS_MAX: u32 = 5;
/// How long it then waits.
pub const WRONG_PASSWORD_WAIT: Duration = Duration::from_secs(60);
/// Logins whose wrong passwords are counted.
pub const WATCHED_LOGINS_MAX: usize = 4_096;
/// The shortest password that is taken, in characters (NIST SP 800-63B, section 5.1.1.2, asks for 8 or more).
pub const PASSWORD_LEN_MIN: usize = 10;
/// The longest password that is taken, in bytes.
pub const PASSWORD_LEN_MAX: usize = 256;
/// The longest login, in bytes.
pub const LOGIN_LEN_MAX: usize = 200;
/// Feeds of one session that are open at once.
pub const FEEDS_OF_A_SESSION_MAX: usize = 16;
/// Feeds that are open at once.
pub const FEEDS_MAX: usize = 1_024;
/// How long one frame may wait for a page that does not read.
pub const FRAME_WITHIN: Duration = Duration::from_secs(10);
/// The longest text message of a page on the feed, in bytes.
pub const WISH_LEN_MAX: usize = 4_096;
/// The longest range of waveforms in one answer.
pub const WAVES_SPAN_MAX: Duration = Duration::from_secs(3_600);
/// Points of a trend in one answer when nobody asks.
pub const TREND_POINTS: usize = 1_200;
/// The most points of a trend in one answer.
pub const TREND_POINTS_MAX: usize = 20_000;
/// The longest range of a trend in one answer.
pub const TRENDS_SPAN_MAX: Duration = Duration::from_secs(8 * 86_400);
/// Connections of people at once; further ones wait.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How long a client may take for the headers of a request.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
pub const HEADERS_LEN_MAX: usize = 32 * 1_024;
/// The most headers of a request.
pub const HEADERS_MAX: usize = 64;
/// How long open answers may take once the server stops.
pub const END_WITHIN: Duration = Duration::from_secs(5);
