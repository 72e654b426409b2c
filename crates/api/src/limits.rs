//! Every bound of the people's side, in one place.

use std::time::Duration;

/// Pages opened in an emergency that one list shows, those that wait first.
pub(crate) const EMERGENCIES_SHOWN_MAX: usize = 200;
/// How long somebody in an emergency waits for the journal; then it counts as not recording.
pub(crate) const EMERGENCY_WITHIN: Duration = Duration::from_secs(1);
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
/// The most events of a timeline in one answer.
pub const TIMELINE_LEN_MAX: usize = 500;
/// A trend is read in stretches of this, so that one value a second never fills a question.
pub const TRENDS_STRETCH: Duration = Duration::from_secs(7 * 86_400);
/// The most scores of a history in one answer; older ones are left out, and that is said.
pub const SCORES_MAX: usize = 2_000;
/// The longest range of a trend in one answer.
pub const TRENDS_SPAN_MAX: Duration = Duration::from_secs(92 * 86_400);
/// The longest range of a history in one answer.
pub const HISTORY_SPAN_MAX: Duration = Duration::from_secs(400 * 86_400);
/// The range of a history when nobody says since when.
pub const HISTORY_USUAL: Duration = Duration::from_secs(86_400);
/// Columns of a history in one answer when nobody asks.
pub const HISTORY_COLUMNS: u32 = 1_200;
/// The fewest columns of a history that may be asked for.
pub const HISTORY_COLUMNS_MIN: u32 = 10;
/// The most columns of a history that may be asked for; up to twice as many come.
pub const HISTORY_COLUMNS_MAX: u32 = 5_000;
/// The most lines of a history in one answer; what follows is on the next page.
pub const HISTORY_LINES_MAX: usize = 120;
/// The most stretches of one answer that are named as withheld; of more the longest.
pub const WITHHELD_MAX: usize = 500;
/// The most readings of one answer that shows them as they were received.
pub const RECEIPTS_MAX: usize = 2_000;
/// Over more than this only the times of a waveform's sealed chunks are looked at for its gaps.
pub const WAVE_BLOCKS_SPAN_MAX: Duration = Duration::from_secs(8 * 86_400);
/// How much of a history is looked through at once for its gaps.
pub const HISTORY_STRETCH: Duration = Duration::from_secs(30 * 86_400);
/// How long before a range it is asked how a device stood to the server.
pub const HISTORY_LINK_BEFORE: Duration = Duration::from_secs(31 * 86_400);
/// Damaged chunks that the system page names.
pub const DAMAGE_SHOWN_MAX: usize = 200;
/// The most gaps of one channel in one answer; of more the longest.
pub const GAPS_MAX: usize = 500;
/// The most stops of the program that one answer about gaps knows of; of more the latest.
pub const OUTAGES_MAX: usize = 10_000;
/// How often roll-ups of new points are made.
pub const ROLLS_EVERY: Duration = Duration::from_secs(60);
/// The most days of a series whose roll-ups are made in one go.
pub const ROLLS_AT_ONCE: usize = 4_096;
/// Connections of people at once; further ones wait.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections of people from one address; it may be that of a proxy with a whole hospital behind it.
pub const CONNECTIONS_OF_ADDRESS_MAX: usize = 1_024;
/// How long a connection may take nothing of what is written to it, feeds included.
pub const WRITE_WITHIN: Duration = Duration::from_secs(15);
/// How long a client may take for the headers of a request.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
pub const HEADERS_LEN_MAX: usize = 32 * 1_024;
/// The most headers of a request.
pub const HEADERS_MAX: usize = 64;
/// How long open answers may take once the server stops.
pub const END_WITHIN: Duration = Duration::from_secs(5);
/// The most rows of the audit trail in one file.
pub const AUDIT_EXPORT_MAX: usize = 50_000;
/// The most people in the list of those who looked at a patient.
pub const LOOKS_MAX: usize = 200;
/// How often the room on the disk is looked at: a call that reads no file.
pub const DISK_LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often the program writes down how it did.
pub const PULSE_EVERY: Duration = Duration::from_secs(60);
/// The most pulses in one answer: two days of them.
pub const PULSES_MAX: usize = 2_880;
/// A certificate that ends within this is shown as about to expire.
pub const EXPIRY_SHOWN_WITHIN: Duration = Duration::from_secs(30 * 86_400);
/// The most certificates in the list of those about to expire.
pub const EXPIRING_MAX: usize = 100;
/// Points of a patient's own small lines.
pub const OWN_POINTS: usize = 60;
/// Connections of devices by HTTPS at once; further ones wait.
pub const DEVICE_CONNECTIONS_MAX: usize = 4_096;
/// Connections of devices by HTTPS from one address, such as that of their gateway.
pub const DEVICE_CONNECTIONS_OF_ADDRESS_MAX: usize = 1_024;
/// Connections to the devices' HTTPS that came without a certificate, at once.
pub const STRANGERS_MAX: usize = 64;
/// Those of one address.
pub const STRANGERS_OF_ADDRESS_MAX: usize = 32;
/// How long a client without a certificate may take for headers, and be idle between two requests.
pub const STRANGERS_HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long what a session of MQTT over WebSocket said last may take to go out.
pub const DEVICE_FAREWELL_WITHIN: Duration = Duration::from_secs(5);
/// How long a device may take for the headers of a request, and be idle between two.
pub const DEVICE_HEADERS_WITHIN: Duration = Duration::from_secs(60);
/// Requests of devices at once; one more is told to come again.
pub const DEVICE_REQUESTS_MAX: usize = 256;
/// Requests of one device at once.
pub const DEVICE_REQUESTS_OF_ONE_MAX: usize = 8;
/// The longest body of one message of a device, in bytes; MQTT takes as much.
pub const DEVICE_BODY_LEN_MAX: usize = 256 * 1_024;
/// The longest body of line protocol, in bytes, packed and unpacked.
pub const DEVICE_LINES_LEN_MAX: usize = 2 * 1_024 * 1_024;
/// How long a body of a device may take.
pub const DEVICE_BODY_WITHIN: Duration = Duration::from_secs(20);
/// The longest frame of MQTT over WebSocket, in bytes.
pub const DEVICE_FRAME_LEN_MAX: usize = 512 * 1_024;
/// Bytes that wait between a WebSocket and its session, in each direction.
pub const DEVICE_PIPE_LEN: usize = 8 * 1_024;
/// A device that speaks by HTTPS is noted in the journal again after this.
pub const NOTED_EVERY: Duration = Duration::from_secs(3_600);
/// The same for one that speaks from another address.
pub const MOVE_NOTED_EVERY: Duration = Duration::from_secs(60);
/// How often what is decided about devices is carried out at the doors, at the latest.
pub const WARDEN_EVERY: Duration = Duration::from_millis(100);
/// The longest text that refusals are searched for, in bytes.
pub const SEARCH_LEN_MAX: usize = 200;
/// Lines of a device's life that are shown at most.
pub const LIFE_LEN_MAX: usize = 1_000;
/// How long a claim code may be used.
pub const CLAIM_LASTS: Duration = Duration::from_secs(14 * 86_400);
/// How long a body of a request may take.
pub const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Wishes that a page may tell its feed at once.
pub const WISHES_AT_ONCE_MAX: u32 = 20;
/// One more wish of a page is heard after each of these.
pub const WISH_EVERY: Duration = Duration::from_millis(250);
/// The most devices that one request takes off somebody who leaves a bed.
pub const TAKEN_OFF_MAX: usize = 64;
/// How far back a device may be said to have been on somebody.
pub const ASSOCIATED_SINCE_MAX: Duration = Duration::from_secs(30 * 86_400);
/// The longest part of an import, in bytes.
pub const IMPORT_PART_LEN_MAX: usize = 2 * 1_024 * 1_024;
/// The most values of one part of an import.
pub const IMPORT_POINTS_MAX: usize = 20_000;
/// The most samples of all waveforms of one part.
pub const IMPORT_SAMPLES_MAX: usize = 100_000;
/// The most stretches of waveforms of one part of an import.
pub const IMPORT_STRETCHES_MAX: usize = 2_000;
/// The most doubts of all stretches of one part of an import.
pub const IMPORT_DOUBTS_MAX: usize = 10_000;
/// Samples of one part that are compared with others at most; all of them take some seconds.
pub const IMPORT_COMPARED_MAX: u64 = 200_000_000;
/// Numbers below this are no times in milliseconds since 1970 that a file means: it is March
/// 1973, and what a ward of today writes in seconds.
pub const IMPORT_MILLIS_MIN: i64 = 100_000_000_000;
/// The most doubts of one stretch in a table that is imported.
pub const IMPORT_STRETCH_DOUBTS_MAX: usize = 5_000;
/// So long a part of an import waits for its turn before it is asked to come again; well below
/// what an answer may take.
pub const IMPORT_TURN_WITHIN: Duration = Duration::from_secs(5);
/// The most samples of one stretch of an import; a sealed block of a device has fewer.
pub const IMPORT_STRETCH_SAMPLES_MAX: usize = 10_000;
/// The fastest waveform that is imported, in Hz.
pub const IMPORT_RATE_MAX_HZ: u32 = 100_000;
/// The longest name of a channel or a unit in an import, in bytes.
pub const IMPORT_TEXT_LEN_MAX: usize = 100;
/// The longest name of an imported file, in bytes.
pub const IMPORT_FILE_LEN_MAX: usize = 255;
/// Points in memory beyond which an import waits until they are sealed.
pub const IMPORT_UNSEALED_POINTS_MAX: usize = 2_000_000;
/// Samples in memory beyond which an import waits until they are sealed.
pub const IMPORT_UNSEALED_SAMPLES_MAX: usize = 16_000_000;
/// The longest line of a table of text that is imported, in bytes.
pub const IMPORT_LINE_LEN_MAX: usize = 1_024 * 1_024;
/// The most columns of a table that is imported.
pub const IMPORT_COLUMNS_MAX: usize = 1_024;
/// The longest file of WFDB or EDF+ that is imported, in bytes; it is in memory while it is read.
pub const IMPORT_RECORDING_LEN_MAX: u64 = 1_024 * 1_024 * 1_024;
/// The most imports that are begun and not ended; of more the oldest has to begin again.
pub const IMPORTS_BEGUN_MAX: usize = 256;
/// Imports that are listed at most.
pub const IMPORTS_SHOWN_MAX: usize = 200;
