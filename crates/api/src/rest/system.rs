//! The state of the server, and the description of this interface.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::Directory;
use model::{DeviceId, Lifecycle, OrgId, Timestamp};
use record::DiskLevel;
use security::Action;
use serde::Deserialize;
use store::{
    Condition, DiskUse, Ended, Growth, LogOffset, PulseRow, RecordsError, ThinnedPart, WhyNot,
};

use super::damage::damage;
use crate::{
    Api,
    backup_desk::{BackupAsked, BackupState, Begun},
    dto::{
        system::{
            BackupNow, Counters, EngineNow, Expiring, Journal, Latencies, PulseShown, Rates,
            RetentionNow, Screens, Storage, System, SystemGap, SystemHistory, TroubleNow,
        },
        words::{read_time, time},
    },
    extract::Asked,
    guard::Caller,
    limits::{EXPIRING_MAX, EXPIRY_SHOWN_WITHIN, PULSE_EVERY, PULSES_MAX},
    openapi,
    problem::Problem,
    retention_desk::RetentionState,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadSystem, Scope::Org);
    let back_up = Access::Permitted(Action::BackUp, Scope::Org);
    let public = Access::Public("the interface's description names no patient");
    vec![
        Route::new(Method::GET, "/system", read, "How the server is doing", system)
            .answers::<System>(),
        Route::new(
            Method::GET,
            "/system/history",
            read,
            "How the server did, minute by minute, over all its starts",
            history,
        )
        .query("from", "RFC 3339 or unix milliseconds; a day before `to` if it is left out")
        .query("to", "RFC 3339 or unix milliseconds; now if it is left out")
        .answers::<SystemHistory>(),
        Route::new(
            Method::POST,
            "/system/backup",
            back_up,
            "Takes a backup and rehearses its restore",
            backup,
        )
        .status(202),
        Route::new(
            Method::POST,
            "/system/rehearsal",
            back_up,
            "Restores the newest backup into a scratch place and compares it",
            rehearsal,
        )
        .status(202),
        Route::new(Method::GET, "/openapi.json", public, "This description", description),
    ]
}

fn ms(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

fn trouble(of: engine::Trouble) -> TroubleNow {
    TroubleNow { code: of.code, words: of.words }
}

fn journal_now(journal: &store::JournalStatus) -> Journal {
    let (status, why, since) = match journal.condition {
        Condition::Recording => ("recording", None, None),
        Condition::NotRecording { since, why } => {
            let why = match why {
                WhyNot::Poisoned => "poisoned",
                WhyNot::Full => "full",
            };
            ("not_recording", Some(why), Some(time(since)))
        }
    };
    Journal {
        status,
        why,
        since,
        bytes: journal.end.bytes(),
        fsync_us_p50: journal.fsync_p50_us,
        fsync_us_p99: journal.fsync_p99_us,
        entries: journal.entries,
        commits: journal.commits,
        lost: journal.lost,
        queue_groups: journal.queue_groups,
        queue_bytes: journal.queue_len,
    }
}

async fn system(State(api): State<Arc<Api>>, caller: Caller) -> Json<System> {
    let (storage, disk_trouble) = storage(&api, &caller).await;
    let (damage, damage_trouble) = damage(&api, caller.who.org).await;
    let backup = api.backup_desk().state();
    let directory = api.engine.directory();
    let (journal, engine, door) = (api.journal.status(), api.engine.status(), api.door.counts());
    let (durable, decided) = (engine.receive_to_engine, engine.receive_to_decided);
    Json(System {
        journal: journal_now(&journal),
        rates: Rates {
            messages_per_s: engine.messages_per_s,
            readings_per_s: engine.readings_per_s,
        },
        counters: Counters {
            stored: door.stored,
            duplicates: door.duplicates,
            refused: door.refused,
            dead_letters: door.dead_letters,
            waveform_samples_stored: engine.waveform_samples_stored,
        },
        connections: api.mqtt.as_ref().map_or(0, |mqtt| mqtt.counters().connections),
        latencies: Latencies {
            receive_to_durable_ms_p50: ms(durable.p50),
            receive_to_durable_ms_p99: ms(durable.p99),
            receive_to_decided_ms_p50: ms(decided.p50),
            receive_to_decided_ms_p99: ms(decided.p99),
        },
        troubles: engine
            .troubles()
            .into_iter()
            .map(trouble)
            .chain(disk_trouble)
            .chain(damage_trouble)
            .chain(backup.as_ref().and_then(|it| backup_trouble(it, caller.at)))
            .collect(),
        engine: EngineNow {
            records: engine.records,
            behind_bytes: engine.behind_bytes,
            alarms_standing: engine.alarms_standing,
            commands_accepted: engine.commands_accepted,
            commands_refused: engine.commands_refused,
            since_checkpoint_bytes: journal.end.bytes().saturating_sub(engine.checkpoint_bytes),
            derived_behind: engine.derived_behind,
            derived_lacking: engine.derived_lacking,
            rows_waiting: engine.rows_waiting,
            decisions_waiting: engine.decisions_waiting,
            decisions_dropped: engine.decisions_dropped,
        },
        screens: screens(&api, engine.feed_readers),
        storage,
        retention: api.retention_desk().state().map(retention_now),
        damage,
        holds: directory.holding().filter(|it| it.hold.org == caller.who.org).count(),
        backup: backup.map(|it| backup_now(it, caller.at)),
        certificates: expiring(&directory, caller.who.org, caller.at),
        quarantined: directory
            .devices
            .values()
            .filter(|it| it.org == caller.who.org && it.lifecycle == Lifecycle::Quarantined)
            .count(),
        version: api.config.version,
        started_at: time(engine.started_at),
        uptime_s: api.clock.elapsed().as_secs(),
        now: time(caller.at),
    })
}

fn screens(api: &Api, open: u64) -> Screens {
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    Screens {
        open,
        requests: count(&api.counts.requests),
        faults: count(&api.counts.faults),
        sign_ins_refused: count(&api.counts.sign_ins_refused),
    }
}

/// What the journal gave up, if it will go on to: thinning that is not set, that failed, or that
/// may not go as far as it should is no help to a disk.
fn goes_on(kept: &RetentionState, thinned_to: LogOffset) -> ThinnedPart {
    let is_set = kept.keep_days.or(kept.keep_bytes).is_some();
    let is_well = kept.problem.is_none() && kept.over_bytes == 0 && kept.faults == 0;
    if is_set && is_well {
        ThinnedPart { to_bytes: thinned_to.bytes(), saved_bytes: kept.saved_bytes }
    } else {
        ThinnedPart::default()
    }
}

/// Measured anew each time: a handful of files, beside the loop.
async fn storage(api: &Api, caller: &Caller) -> (Storage, Option<TroubleNow>) {
    let (data, org, now) = (api.data.clone(), caller.who.org, caller.at);
    let kept = api.retention_desk().state();
    let alarm = api.engine.directory().disk;
    let journal = api.journal.clone();
    let measure = move || (DiskUse::of(&data), journal.thinned_to());
    let measured = tokio::task::spawn_blocking(measure).await;
    let Ok((Ok(it), thinned_to)) = measured else { return (Storage::default(), None) };
    let day_before = now.before(Duration::from_secs(86_400));
    let ends = move |records: &store::Records| -> Result<_, RecordsError> {
        Ok(records.pulses(org, day_before, now, 1)?.pop())
    };
    // Without its beginning nobody can tell how it grows; everything else is still known.
    let first = api.look_up(ends).await.ok().flatten();
    let last = Ended { at: now, journal_bytes: api.journal.end().bytes() };
    let growth = first.and_then(|row| {
        let first = Ended { at: row.at, journal_bytes: row.pulse.journal_bytes };
        let thinned = kept.as_ref().zip(thinned_to.ok());
        let thinned = thinned.map_or_else(ThinnedPart::default, |(kept, to)| goes_on(kept, to));
        Growth::between(first, last, thinned, &it)
    });
    let full_in = growth.and_then(|growth| growth.full_in(&it));
    let storage = Storage {
        journal_bytes: Some(it.journal_bytes),
        series_bytes: Some(it.series_bytes),
        records_bytes: Some(it.records_bytes),
        free_bytes: Some(it.free_bytes),
        total_bytes: Some(it.total_bytes),
        used_percent: Some(it.used_percent()),
        growth_bytes_per_day: growth.map(|growth| growth.bytes_per_day),
        full_in_s: full_in.map(|span| span.as_secs()),
        alarm: level_word(alarm.level()),
        alarm_since: alarm.raised_at.map(time),
    };
    (storage, disk_trouble(alarm.level(), &it, full_in))
}

/// The word of a level at which an alarm stands.
const fn level_word(level: DiskLevel) -> Option<&'static str> {
    match level {
        DiskLevel::Roomy => None,
        DiskLevel::NearlyFull => Some("nearly_full"),
        DiskLevel::AlmostFull => Some("almost_full"),
    }
}

/// What the standing alarm about the disk asks for.
fn disk_trouble(level: DiskLevel, disk: &DiskUse, full_in: Option<Duration>) -> Option<TroubleNow> {
    let percent = disk.used_percent();
    let when = full_in.map_or_else(String::new, |span| match span.as_secs() / 3_600 {
        hours @ 0..48 => format!(", and it is full in {hours} hours if it goes on like that"),
        hours => format!(", and it is full in {} days if it goes on like that", hours / 24),
    });
    let full = "when it is full nothing is recorded and no device is answered";
    let (code, asks) = match level {
        DiskLevel::Roomy => return None,
        DiskLevel::NearlyFull => ("disk_nearly_full", "make room, or plan for another disk"),
        DiskLevel::AlmostFull => ("disk_almost_full", "make room now"),
    };
    Some(TroubleNow {
        code,
        words: format!("{percent} % of the disk is used{when}; {asks}: {full}"),
    })
}

/// A backup that failed, or that is twice as old as it should ever be.
fn backup_trouble(state: &BackupState, now: Timestamp) -> Option<TroubleNow> {
    if let Some(why) = &state.problem {
        let words = format!("the last backup or its rehearsal failed: {why}");
        return Some(TroubleNow { code: "backup_failed", words });
    }
    let age = now.since(state.last?.at);
    let minutes = age.as_secs() / 60;
    let age_words = match minutes {
        0..120 => format!("{minutes} minutes"),
        _ => format!("{} hours", minutes / 60),
    };
    let words = format!("the newest backup is {age_words} old; look after its folder");
    let is_old = age > state.every.saturating_mul(2);
    is_old.then_some(TroubleNow { code: "backup_old", words })
}

fn retention_now(state: RetentionState) -> RetentionNow {
    RetentionNow {
        keep_days: state.keep_days,
        keep_bytes: state.keep_bytes,
        segments: state.segments,
        blocks: state.blocks,
        saved_bytes: state.saved_bytes,
        oldest_at: state.received.map(|(oldest, _)| time(oldest)),
        newest_at: state.received.map(|(_, newest)| time(newest)),
        over_bytes: state.over_bytes,
        faults: state.faults,
        problem: state.problem,
    }
}

fn backup_now(state: BackupState, now: Timestamp) -> BackupNow {
    BackupNow {
        folder: state.folder,
        every_s: state.every.as_secs(),
        count: state.count,
        last_at: state.last.map(|it| time(it.at)),
        last_bytes: state.last.map(|it| it.bytes),
        last_age_s: state.last.map(|it| now.since(it.at).as_secs()),
        rehearsed_at: state.rehearsed.map(|(at, _)| time(at)),
        rehearsed_of: state.rehearsed.map(|(_, of)| time(of)),
        under_way: state.under_way.map(BackupAsked::word),
        problem: state.problem,
    }
}

async fn backup(State(api): State<Arc<Api>>, _: Caller) -> Result<StatusCode, Problem> {
    begin(&api, BackupAsked::Backup)
}

async fn rehearsal(State(api): State<Arc<Api>>, _: Caller) -> Result<StatusCode, Problem> {
    begin(&api, BackupAsked::Rehearsal)
}

fn begin(api: &Api, asked: BackupAsked) -> Result<StatusCode, Problem> {
    match api.backup_desk().ask(asked) {
        Begun::Yes => Ok(StatusCode::ACCEPTED),
        Begun::Busy => {
            Err(Problem::conflict("a backup or a rehearsal is under way; wait for its end"))
        }
        Begun::Nowhere => Err(Problem::conflict("no folder for backups is configured")
            .with_hint("say `folder` and `key` under [backup] in the configuration file")),
    }
}

/// Devices whose newest certificate that was not revoked ends soon, or has ended.
fn expiring(directory: &Directory, org: OrgId, now: Timestamp) -> Vec<Expiring> {
    let mut newest: BTreeMap<DeviceId, Timestamp> = BTreeMap::new();
    for it in directory.certificates.values().filter(|it| it.revoked_at.is_none()) {
        let known = newest.entry(it.device).or_insert(it.not_after);
        *known = it.not_after.max(*known);
    }
    let soon = now.after(EXPIRY_SHOWN_WITHIN);
    let mut ending: Vec<_> = newest
        .into_iter()
        .filter(|(_, not_after)| *not_after <= soon)
        .filter_map(|(device, not_after)| Some((not_after, directory.devices.get(&device)?)))
        .filter(|(_, device)| device.org == org && device.lifecycle != Lifecycle::Retired)
        .collect();
    ending.sort_by_key(|(not_after, device)| (*not_after, device.id));
    ending.truncate(EXPIRING_MAX);
    let shown = |(not_after, device): (Timestamp, &model::Device)| Expiring {
        device: device.id.to_string(),
        label: device.label.clone(),
        not_after: time(not_after),
        has_ended: not_after <= now,
    };
    ending.into_iter().map(shown).collect()
}

#[derive(Debug, Deserialize)]
struct Range {
    from: Option<String>,
    to: Option<String>,
}

async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(range): Asked<Range>,
) -> Result<Json<SystemHistory>, Problem> {
    let to = range.to.as_deref().map_or(Ok(caller.at), |text| read_time("to", text))?;
    let day_before = to.before(Duration::from_secs(86_400));
    let from = range.from.as_deref().map_or(Ok(day_before), |text| read_time("from", text))?;
    let span_max = PULSE_EVERY.saturating_mul(u32::try_from(PULSES_MAX).unwrap_or(u32::MAX));
    if from >= to || to.since(from) > span_max {
        let hours = span_max.as_secs() / 3_600;
        return Err(Problem::bad_request(format!("from lies before to, by at most {hours} h")));
    }
    let org = caller.who.org;
    let rows = api.look_up(move |records| records.pulses(org, from, to, PULSES_MAX)).await?;
    let rate = |per_ks: u64| f64::from(u32::try_from(per_ks).unwrap_or(u32::MAX)) / 1_000.0;
    let shown = |row: &PulseRow| PulseShown {
        at_ms: row.at.unix_millis(),
        messages_per_s: rate(row.pulse.messages_per_ks),
        readings_per_s: rate(row.pulse.readings_per_ks),
        durable_ms_p99: ms(Duration::from_micros(row.pulse.durable_p99_us)),
        decided_ms_p99: ms(Duration::from_micros(row.pulse.decided_p99_us)),
        journal_bytes: row.pulse.journal_bytes,
        connections: row.pulse.connections,
    };
    Ok(Json(SystemHistory {
        from: time(from),
        to: time(to),
        points: rows.iter().map(shown).collect(),
        gaps: gaps(&rows),
    }))
}

/// Between two pulses that lie further apart than two minutes, nothing was noted: because
/// another start came between them, or because nothing could be written.
fn gaps(rows: &[PulseRow]) -> Vec<SystemGap> {
    let pairs = rows.iter().zip(rows.iter().skip(1));
    let gap = |(before, after): (&PulseRow, &PulseRow)| {
        let is_restart = before.pulse.started_at != after.pulse.started_at;
        let is_long = after.at.since(before.at) > PULSE_EVERY.saturating_mul(2);
        let why = if is_restart { "restart" } else { "not_recording" };
        let (from_ms, to_ms) = (before.at.unix_millis(), after.at.unix_millis());
        (is_restart || is_long).then_some(SystemGap { from_ms, to_ms, why })
    };
    pairs.filter_map(gap).collect()
}

async fn description() -> Result<Response, Problem> {
    let text = openapi::document().map_err(Problem::fault)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(minute: i64, started_minute: i64) -> PulseRow {
        let at = |minute: i64| Timestamp::from_unix_millis(minute * 60_000);
        let pulse = record::Pulse {
            messages_per_ks: 0,
            readings_per_ks: 0,
            durable_p99_us: 0,
            decided_p99_us: 0,
            journal_bytes: 0,
            connections: 0,
            started_at: at(started_minute),
        };
        PulseRow { at: at(minute), pulse }
    }

    #[test]
    fn a_disk_is_told_of_while_its_alarm_stands_with_what_to_do() {
        let disk = DiskUse { used_bytes: 81, free_bytes: 19, ..DiskUse::default() };
        let told = |level, hours: Option<u64>| {
            let full_in = hours.map(|hours| Duration::from_secs(hours * 3_600));
            disk_trouble(level, &disk, full_in).map(|it| (it.code, it.words))
        };
        assert_eq!(told(DiskLevel::Roomy, Some(1)), None);
        for (level, hours, code, words) in [
            (
                DiskLevel::NearlyFull,
                None,
                "disk_nearly_full",
                "81 % of the disk is used; make room, or plan for another disk: when it is full \
                 nothing is recorded and no device is answered",
            ),
            (
                DiskLevel::NearlyFull,
                Some(48),
                "disk_nearly_full",
                "81 % of the disk is used, and it is full in 2 days if it goes on like that; make \
                 room, or plan for another disk: when it is full nothing is recorded and no \
                 device is answered",
            ),
            (
                DiskLevel::AlmostFull,
                Some(47),
                "disk_almost_full",
                "81 % of the disk is used, and it is full in 47 hours if it goes on like that; \
                 make room now: when it is full nothing is recorded and no device is answered",
            ),
        ] {
            assert_eq!(told(level, hours), Some((code, words.to_owned())));
        }
    }

    #[test]
    fn a_backup_is_told_of_when_it_failed_or_is_old() {
        let at = Timestamp::from_unix_millis(0);
        let last = Some(crate::BackupMade { at, bytes: 1 });
        let every = Duration::from_secs(24 * 3_600);
        let well = BackupState { every, last, ..BackupState::default() };
        let after = |hours: u64| at.after(Duration::from_secs(hours * 3_600));
        let code =
            |state: &BackupState, hours| backup_trouble(state, after(hours)).map(|it| it.code);
        assert_eq!((code(&well, 48), code(&well, 49)), (None, Some("backup_old")));
        let often = BackupState { every: Duration::from_secs(60), ..well.clone() };
        let trouble = |age_s| backup_trouble(&often, at.after(Duration::from_secs(age_s)));
        assert!(trouble(120).is_none());
        assert_eq!(
            trouble(121).map(|it| it.words),
            Some("the newest backup is 2 minutes old; look after its folder".to_owned())
        );
        let failed = BackupState { problem: Some("no room".to_owned()), ..well };
        assert_eq!(code(&failed, 0), Some("backup_failed"));
    }

    #[test]
    fn a_restart_is_a_gap_however_short_and_a_silence_only_a_long_one() {
        // Each row: minutes of pulses with the minute of their start; the gaps by minute.
        let check = |rows: &[(i64, i64)], want: &[(i64, i64, &str)]| {
            let rows: Vec<_> = rows.iter().map(|(at, started)| row(*at, *started)).collect();
            let found: Vec<_> = gaps(&rows)
                .iter()
                .map(|gap| (gap.from_ms / 60_000, gap.to_ms / 60_000, gap.why))
                .collect();
            assert_eq!(found, want);
        };
        check(&[], &[]);
        check(&[(1, 0), (2, 0), (3, 0)], &[]);
        check(&[(1, 0), (2, 2), (3, 2)], &[(1, 2, "restart")]);
        check(&[(1, 0), (40, 39)], &[(1, 40, "restart")]);
        check(&[(1, 0), (3, 0)], &[]);
        check(&[(1, 0), (4, 0)], &[(1, 4, "not_recording")]);
    }
}
