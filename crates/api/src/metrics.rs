//! `/metrics`: what a monitoring system reads, on a listener of its own.
//!
//! The figures are gathered at each reading from those who count them; there is no
//! second set of counters that could drift from the first.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use record::DiskLevel;
use store::Condition;

use crate::{Api, limits::FEEDS_MAX, problem::Problem};

/// The content type of the OpenMetrics text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The content type of Prometheus' own text format, for whoever does not ask for the other.
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn router(api: &Arc<Api>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(api))
}

async fn metrics(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut text = String::new();
    encode(&mut text, &api.registry()).map_err(Problem::fault)?;
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepted.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
        return Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response());
    }
    Ok(([(header::CONTENT_TYPE, CLASSIC)], classic(&text)).into_response())
}

/// OpenMetrics as Prometheus' older text format has it: a counter's help and type carry the name of its
/// sample, and units and the end mark are not said.
fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ');
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|said| said.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, words)) = help.take().filter(|(helped, _)| *helped == name) {
                text += &format!("# HELP {name}{suffix} {words}\n");
            }
            text += &format!("# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            text += &format!("{line}\n");
        }
    }
    text
}

fn count(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
}

fn seconds(registry: &mut Registry, name: &str, help: &str, value: f64) {
    registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(value));
}

fn bytes(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
}

impl Api {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("wardline");
        self.journal_metrics(&mut registry);
        self.door_metrics(&mut registry);
        self.mqtt_metrics(&mut registry);
        self.device_metrics(&mut registry);
        self.engine_metrics(&mut registry);
        self.waiting_metrics(&mut registry);
        self.disk_metrics(&mut registry);
        self.people_metrics(&mut registry);
        registry
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of a sync")]
    fn journal_metrics(&self, to: &mut Registry) {
        let journal = self.journal.status();
        let records = u64::from(journal.condition == Condition::Recording);
        gauge(to, "journal_recording", "1 while what comes in is made durable", records);
        bytes(to, "journal_end", "Where the durable log ends", journal.end.bytes());
        count(to, "journal_groups", "Groups made durable", journal.groups);
        count(to, "journal_entries", "Entries made durable", journal.entries);
        count(to, "journal_commits", "Commits, each with one sync", journal.commits);
        count(to, "journal_entries_lost", "Entries that were never recorded", journal.lost);
        gauge(
            to,
            "journal_queue_groups",
            "Groups that wait for the writer",
            journal.queue_groups as u64,
        );
        bytes(to, "journal_queue", "What waits for the writer", journal.queue_len as u64);
        let us = |us: u64| us as f64 / 1e6;
        seconds(
            to,
            "journal_sync_median",
            "The median of the latest syncs",
            us(journal.fsync_p50_us),
        );
        seconds(
            to,
            "journal_sync_p99",
            "99 of 100 of the latest syncs took no longer",
            us(journal.fsync_p99_us),
        );
    }

    fn door_metrics(&self, to: &mut Registry) {
        let door = self.door.counts();
        count(to, "messages_stored", "Messages that became records", door.stored);
        count(to, "messages_duplicate", "Messages that came again", door.duplicates);
        count(to, "messages_dead", "Messages that were kept as dead letters", door.dead_letters);
        count(
            to,
            "messages_unanswered",
            "Messages that could not be made durable",
            door.unanswered,
        );
        count(to, "samples_stored", "Samples of numerics that became records", door.samples);
        count(
            to,
            "device_connections_refused",
            "Connections that were not let in, or put out",
            door.refused,
        );
    }

    fn mqtt_metrics(&self, to: &mut Registry) {
        let Some(mqtt) = self.mqtt.as_ref().map(|mqtt| mqtt.counters()) else { return };
        gauge(to, "device_connections", "Connections of devices", mqtt.connections as u64);
        count(
            to,
            "device_connections_accepted",
            "Connections that the socket accepted",
            mqtt.accepted,
        );
        count(to, "mqtt_messages_received", "Messages that came in by MQTT", mqtt.messages);
        count(
            to,
            "mqtt_messages_acknowledged",
            "Messages that were acknowledged",
            mqtt.acknowledged,
        );
        gauge(
            to,
            "mqtt_sessions",
            "Sessions, those without a connection included",
            mqtt.sessions as u64,
        );
        gauge(to, "mqtt_retained", "Messages kept for later subscriptions", mqtt.retained as u64);
        gauge(to, "mqtt_waiting", "Messages that wait for clients", mqtt.waiting as u64);
        bytes(
            to,
            "mqtt_waiting",
            "Messages that wait for all clients together",
            mqtt.waiting_bytes as u64,
        );
        count(to, "mqtt_panics", "Connections that ended by a fault of ours", mqtt.panics);
        count(to, "mqtt_messages_sent", "Messages that were sent to clients", mqtt.sent);
        count(
            to,
            "mqtt_sessions_lost",
            "Sessions that ended because their client was too slow for its queue",
            mqtt.sessions_lost,
        );
        count(
            to,
            "mqtt_sessions_lost_to_all",
            "Sessions that ended because they held most when all queues together were full",
            mqtt.sessions_lost_to_all,
        );
        count(
            to,
            "mqtt_messages_dropped",
            "Messages to clients that expired, were too long, or were lost with a session",
            mqtt.dropped,
        );
        count(
            to,
            "mqtt_retained_refused",
            "Messages that were not retained, as their device has as many as it may",
            mqtt.not_retained,
        );
        registry_bytes(to, mqtt.bytes_in);
    }

    fn engine_metrics(&self, to: &mut Registry) {
        let engine = self.engine.status();
        bytes(
            to,
            "engine_behind",
            "Durable journal that is not decided on yet",
            engine.behind_bytes,
        );
        count(to, "engine_records", "Records taken live", engine.records);
        count(to, "engine_readings", "Samples of numerics taken live", engine.readings);
        count(
            to,
            "engine_waveform_samples",
            "Samples of waveforms taken live",
            engine.waveform_samples_stored,
        );
        count(to, "commands_accepted", "Commands granted", engine.commands_accepted);
        count(to, "commands_refused", "Commands not granted", engine.commands_refused);
        count(to, "alarms_raised", "Alarms raised", engine.alarms_raised);
        count(to, "alarms_acknowledged", "Alarms acknowledged", engine.alarms_acknowledged);
        count(to, "alarms_escalated", "Steps of escalation", engine.alarms_escalated);
        count(to, "alarms_ended", "Alarms ended", engine.alarms_ended);
        gauge(to, "alarms_standing", "Alarms that stand now", engine.alarms_standing);
        let (durable, decided) = (engine.receive_to_engine, engine.receive_to_decided);
        seconds(
            to,
            "receive_to_durable_median",
            "From receipt to the engine, durable: the median of the latest",
            durable.p50.as_secs_f64(),
        );
        seconds(
            to,
            "receive_to_durable_p99",
            "From receipt to the engine, durable: 99 of 100 of the latest",
            durable.p99.as_secs_f64(),
        );
        seconds(
            to,
            "receive_to_decided_median",
            "From receipt until all was decided: the median of the latest",
            decided.p50.as_secs_f64(),
        );
        seconds(
            to,
            "receive_to_decided_p99",
            "From receipt until all was decided: 99 of 100 of the latest",
            decided.p99.as_secs_f64(),
        );
    }

    fn waiting_metrics(&self, to: &mut Registry) {
        let engine = self.engine.status();
        gauge(
            to,
            "decisions_waiting",
            "Turns of decisions that are not recorded yet",
            engine.decisions_waiting,
        );
        count(
            to,
            "decisions_dropped",
            "Turns of decisions that were never recorded",
            engine.decisions_dropped,
        );
        gauge(
            to,
            "rows_waiting",
            "Rows that wait for the disk of the records",
            engine.rows_waiting,
        );
        let behind = u64::from(engine.derived_lacking);
        gauge(
            to,
            "derived_writes_given_up",
            "1 if rows and points were given up until a restart",
            behind,
        );
    }

    fn disk_metrics(&self, to: &mut Registry) {
        let alarm = self.engine.directory().disk.level();
        let level = u64::from(alarm >= DiskLevel::NearlyFull)
            .saturating_add(u64::from(alarm >= DiskLevel::AlmostFull));
        gauge(to, "disk_alarm", "1 while the disk is nearly full, 2 while it is almost", level);
        // What was never measured is left out: a zero would be an alarm.
        let Some(disk) = self.disk.seen() else { return };
        bytes(to, "disk_free", "What files can still grow by", disk.free_bytes);
        bytes(to, "disk_size", "The file system of the data", disk.total_bytes);
        gauge(to, "disk_used_percent", "How much of it is used", disk.used_percent());
    }

    fn people_metrics(&self, to: &mut Registry) {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let counts = &self.counts;
        count(to, "http_requests", "Requests of people", read(&counts.requests));
        count(to, "http_requests_refused", "Requests that were refused", read(&counts.refused));
        count(to, "http_requests_failed", "Requests that failed here", read(&counts.faults));
        count(to, "sign_ins", "Sessions opened", read(&counts.sign_ins));
        count(to, "sign_ins_refused", "Wrong passwords", read(&counts.sign_ins_refused));
        count(
            to,
            "alarms_painted",
            "Alarms that a page says it painted",
            read(&counts.alarms_painted),
        );
        let open = FEEDS_MAX.saturating_sub(self.feeds.available_permits());
        gauge(to, "feeds_open", "Pages that follow a care unit", open as u64);
        seconds(to, "uptime", "How long the program runs", self.clock.elapsed().as_secs_f64());
    }
}

fn registry_bytes(registry: &mut Registry, received: u64) {
    let help = "Bytes that came in by MQTT, without TLS";
    registry.register_with_unit("mqtt_received", help, Unit::Bytes, ConstCounter::new(received));
}

#[test]
fn the_classic_text_names_a_counter_as_its_sample_is_named() {
    let mut registry = Registry::with_prefix("wardline");
    count(&mut registry, "alarms_raised", "Alarms raised", 3);
    bytes(&mut registry, "journal_end", "Where it ends", 7);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let expected = "\
# HELP wardline_alarms_raised_total Alarms raised.
# TYPE wardline_alarms_raised_total counter
wardline_alarms_raised_total 3
# HELP wardline_journal_end_bytes Where it ends.
# TYPE wardline_journal_end_bytes gauge
wardline_journal_end_bytes 7
";
    assert_eq!(classic(&text), expected);
}
