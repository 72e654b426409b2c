//! Every bound of the engine, in one place; each has a test that exceeds it.

use std::time::Duration;

/// Records of the journal after which whoever reads them for a damaged chunk may rest.
pub const MEND_RECORDS_AT_ONCE: usize = 4_096;

/// Deltas of one care unit that a returning page may still resume from.
pub const DELTAS_KEPT_MAX: usize = 1_024;
/// Deltas that wait for one slow page before their numbers are conflated into one.
pub const READER_DELTAS_MAX: usize = 64;
/// Changes of alarms that wait for one slow page before it is told to start again.
pub const READER_ALARMS_MAX: usize = 4_096;
/// Waveform blocks that wait for one slow page before the oldest are dropped with a gap mark.
pub const READER_WAVES_MAX: usize = 256;
/// Questions that wait for the loop; further ones wait at their askers.
pub const QUESTIONS_MAX: usize = 1_024;
/// Batches of rows and points that wait for the writer before derived writes are given up until a restart.
pub const BATCHES_BEHIND_MAX: usize = 8_192;
/// Groups of decisions whose sync is awaited at a time.
pub const DECISIONS_IN_FLIGHT_MAX: usize = 65_536;
/// Turns of decisions in one group for the journal.
pub const TURNS_OF_A_GROUP_MAX: usize = 256;
/// Ended alarms that the loop still answers for; older ones are in the records.
pub const ENDED_ALARMS_KEPT_MAX: usize = 512;
/// Acts of charting that are kept for each patient's page.
pub const CHARTINGS_KEPT_MAX: usize = 20;
/// Latencies that are kept for the percentiles on the system page.
pub const LATENCIES_KEPT_MAX: usize = 4_096;
/// Answers to commands that wait for somebody to ask, before the oldest are forgotten.
pub const OUTCOMES_KEPT_MAX: usize = 16_384;
/// Rows that go into one transaction.
pub const ROWS_AT_ONCE_MAX: usize = 2_000;
/// Journal bytes after which a checkpoint is made.
pub const CHECKPOINT_BYTES: u64 = 32 << 20;
/// Time after which a checkpoint is made.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(300);
/// After a checkpoint that failed the next one is tried no sooner.
pub const CHECKPOINT_AGAIN: Duration = Duration::from_secs(5);
/// A stop waits no longer than this for the next record that the journal has already.
pub const STOP_READS_WITHIN: Duration = Duration::from_secs(1);
/// An observation may be charted this long after it was made.
pub const CHARTING_AGE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// An instant that a person names may lie this far ahead of our clock, as screens round.
pub const FUTURE_MAX: Duration = Duration::from_secs(60);
/// The longest time for which an acknowledgement may be asked.
pub const QUIET_MAX: Duration = Duration::from_secs(3_600);
/// The longest text of a name, label or login, in bytes.
pub const TEXT_LEN_MAX: usize = 200;
/// The longest free text, in bytes.
pub const WORDS_LEN_MAX: usize = 4_096;
/// Waveform channels of one device that are followed; further ones reach only the series.
pub const CHANNELS_OF_A_DEVICE_MAX: usize = 32;
/// Events of a device that its view shows; all of them are in the journal.
pub const EVENTS_SHOWN_MAX: usize = 20;

/// For how long a hand-over that is over can still be read on screens; the records keep it.
pub const HAND_OVER_KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);
/// For how long a page that was opened in an emergency stays open.
pub const EMERGENCY_LASTS: Duration = Duration::from_secs(3_600);
/// For how long after somebody left a care unit, and lies in no other, those who hold a post
/// there may read on: to finish what is written, and to answer a call from home.
pub const OPEN_AFTER_LEAVING: Duration = Duration::from_secs(24 * 3_600);
/// The longest time for which a patient may share their page.
pub const SHARE_LASTS_MAX: Duration = Duration::from_secs(90 * 86_400);
/// Waveform blocks stay whole for at least so long, whatever room the journal may take.
pub const WAVES_WHOLE_MIN: Duration = Duration::from_secs(86_400);
/// The longest span that one correction is about.
pub const CORRECTION_SPAN_MAX: Duration = Duration::from_secs(31 * 86_400);
/// Holds that hold at a time.
pub const HOLDS_MAX: usize = 1_000;
/// People with whom a patient shares at a time.
pub const SHARES_OF_A_PATIENT_MAX: usize = 8;
/// Shares that a patient ever makes: those that are over stay, as their names do.
pub const SHARES_EVER_OF_A_PATIENT_MAX: usize = 64;
/// Pages that one user may have open in an emergency at a time.
pub const EMERGENCIES_OF_A_USER_MAX: usize = 20;
/// Pages opened in an emergency that screens still show; the audit has all of them.
pub const EMERGENCIES_KEPT_MAX: usize = 4_096;
/// A dose is due at most so long after it is planned.
pub const DOSE_AHEAD_MAX: Duration = Duration::from_secs(7 * 86_400);
/// A dose that was due longer ago than this is not planned any more.
pub const DOSE_AGE_MAX: Duration = Duration::from_secs(3_600);
/// The most posts of one hand-over.
pub const HAND_OVER_POSTS_MAX: usize = 100;
/// Commands of one device that the loop still knows; older ones are in its life.
pub const COMMANDS_OF_A_DEVICE_MAX: usize = 20;
/// The longest configuration of a device, in bytes.
pub const CONFIG_LEN_MAX: usize = 16 << 10;
/// The longest time for which a claim code may be used.
pub const CLAIM_LASTS_MAX: Duration = Duration::from_secs(30 * 86_400);
