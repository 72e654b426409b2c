//! One record of the journal as one JSON object: its place, its envelope, and its body
//! as far as this program can read it.
//!
//! Names, birth dates and free texts are left out unless they are asked for. What a
//! device sent stays base64: only its profile can say what is inside.

use engine::record::{DECISIONS, Decision, Decisions};
use model::{Clock, Sample, Timestamp};
use record::{
    Actor, AuditEntry, Body, BodyError, Command, Counted, DECISIONS_FROM, DeadLetter, Kinds,
    Readings, SampleAt, Upward, WaveBlock, Wish,
};
use serde_json::{Value, json};
use store::Record;

use super::base64::base64;

mod mqtt;
mod reports;

/// Whether a dump names patients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privacy {
    /// It does not.
    Kept,
    /// It does.
    Told,
}

/// The record as one object.
pub(super) fn line_of(record: &Record, privacy: Privacy) -> Value {
    let frame = &record.frame;
    let mut line = json!({
        "ends_at": record.offset.bytes(),
        "partition": frame.position.partition.to_string(),
        "seq": frame.position.seq,
        "org": frame.org.to_string(),
        "received_at": time(frame.received_at),
        "kind": frame.kind,
        "version": frame.body_version,
    });
    let body = if frame.kind >= DECISIONS_FROM {
        Decisions::decode(frame.kind, frame.body_version, &frame.body)
            .map(|decisions| decided(&decisions))
    } else {
        Body::decode(frame.kind, frame.body_version, &frame.body).map(|body| shown(&body, privacy))
    };
    let (name, body) = match body {
        Ok(body) => (name_of(frame.kind), body),
        Err(error) => ("unreadable".to_owned(), unreadable(&error, &frame.body)),
    };
    if let Some(line) = line.as_object_mut() {
        line.insert("name".to_owned(), name.into());
        line.insert("body".to_owned(), body);
    }
    line
}

/// What a kind of frame is called.
pub(super) fn name_of(kind: u16) -> String {
    if kind == DECISIONS {
        return "decisions".to_owned();
    }
    let known = Kinds::ALL.iter().find(|(number, _)| *number == kind);
    known.map_or_else(|| format!("kind_{kind}"), |(_, name)| name.to_ascii_lowercase())
}

fn unreadable(error: &BodyError, body: &[u8]) -> Value {
    json!({ "why": error.to_string(), "bytes": base64(body) })
}

fn decided(decisions: &Decisions) -> Value {
    let Decisions { cause, after, first_index, list } = decisions;
    // In the program's own notation, which leaves out names and free texts by itself.
    let words: Vec<String> =
        list.iter().map(|decision: &Decision| format!("{decision:?}")).collect();
    json!({
        "cause": { "partition": cause.partition.to_string(), "seq": cause.seq },
        "cause_ends_at": after.bytes(),
        "first_index": first_index,
        "decided": words,
    })
}

fn shown(body: &Body, privacy: Privacy) -> Value {
    match body {
        Body::Readings(readings) => of_readings(readings),
        Body::Wave(block) => of_wave(block),
        Body::DeadLetter(letter) => of_letter(letter),
        Body::Duplicate(again) => {
            let channel = again.channel.as_ref().map(ToString::to_string);
            json!({
                "device": again.device.to_string(), "counted": counted(again.counted),
                "channel": channel, "samples": again.samples,
            })
        }
        Body::Presence(presence) => {
            json!({
                "device": presence.device.to_string(),
                "change": format!("{:?}", presence.change), "remote": presence.remote,
            })
        }
        Body::Upward(upward) => of_upward(upward),
        Body::Event(event) => reports::of_event(event),
        Body::State(state) => reports::of_state(state),
        Body::Config(config) => reports::of_config(config),
        Body::CommandResult(result) => reports::of_result(result),
        Body::Command(command) => of_command(command, privacy),
        Body::Audit(entry) => of_audit(entry),
        Body::ClockStep(step) => json!({ "jumped_ns": step.jumped_ns }),
        Body::MqttSession(session) => mqtt::of_session(session),
        Body::MqttRetained(retained) => mqtt::of_retained(retained),
        Body::MqttQueued(queued) => mqtt::of_queued(queued),
        Body::MqttNote(note) => mqtt::of_note(note),
        Body::SegmentHead(head) => json!({ "offset": head.offset }),
        Body::TurnedAway(away) => json!({
            "door": away.door, "remote": away.remote,
            "device": away.device.map(|id| id.to_string()),
            "reason": away.reason, "words": away.words, "count": away.count,
        }),
        Body::Replayed(replayed) => json!({
            "letter": replayed.letter.to_string(), "by": replayed.by.to_string(),
            "mended": replayed.mended, "outcome": replayed.outcome, "words": replayed.words,
        }),
        Body::Spoke(spoke) => json!({
            "device": spoke.device.to_string(), "door": spoke.door, "remote": spoke.remote,
        }),
        Body::SealedWave(it) => {
            let sha256 = security::hex(&it.payload_sha256);
            json!({
                "block": of_wave(&it.block), "payload_len_bytes": it.payload_len_bytes,
                "payload_sha256": sha256,
            })
        }
        Body::Imported(it) => {
            let points = it.values.iter().map(|of| of.points.len()).sum::<usize>();
            let samples = it.waves.iter().map(|of| of.samples.len()).sum::<usize>();
            json!({
                "import": it.import.to_string(), "by": it.by.to_string(),
                "device": it.device.to_string(), "file": it.file, "form": it.form,
                "sha256": security::hex(&it.sha256), "values": points, "samples": samples,
            })
        }
        Body::Thinned(it) => json!({
            "from": it.from, "to": it.to, "blocks": it.blocks,
            "bytes_before": it.bytes_before, "bytes": it.bytes,
            "oldest": time(it.oldest), "newest": time(it.newest),
            "keep_days": it.keep_days, "keep_bytes": it.keep_bytes,
        }),
        Body::Part(part) => {
            json!({ "of_kind": part.kind, "number": part.number, "of": part.of })
        }
    }
}

fn of_readings(readings: &Readings) -> Value {
    let base = readings.device_at;
    let sample = |sample: &SampleAt| {
        let nanos = base.unix_nanos().saturating_add(sample.device_at_delta_ns);
        let (value, missing) = match &sample.sample {
            Sample::Measured(measure) => (Some(measure.to_string()), None),
            Sample::Missing(reason) => (None, Some(reason.to_string())),
        };
        json!({
            "channel": sample.channel.to_string(),
            "device_at": time(Timestamp::from_unix_nanos(nanos)),
            "value": value, "missing": missing,
            "refused": sample.refused.as_deref().map(base64),
        })
    };
    json!({
        "device": readings.device.to_string(),
        "counted": counted(readings.counted),
        "device_now": readings.device_now.map(time),
        "gateway_at": readings.gateway_at.map(time),
        "clock_offset_ns": offset_ns(readings.clock),
        "samples": readings.samples.iter().map(sample).collect::<Vec<_>>(),
    })
}

fn of_wave(block: &WaveBlock) -> Value {
    json!({
        "device": block.device.to_string(),
        "channel": block.channel.to_string(),
        "counted": counted(Some(block.counted)),
        "device_at": time(block.device_at),
        "device_now": block.device_now.map(time),
        "gateway_at": block.gateway_at.map(time),
        "clock_offset_ns": offset_ns(block.clock),
        "payload": base64(&block.payload),
    })
}

fn of_letter(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id.to_string(),
        "device": letter.device.map(|device| device.to_string()),
        "door": letter.door, "topic": letter.topic, "content_type": letter.content_type,
        "reason": letter.reason, "explanation": letter.explanation,
        "payload": base64(&letter.payload),
    })
}

fn of_upward(upward: &Upward) -> Value {
    json!({
        "device": upward.device.to_string(), "leaf": upward.leaf,
        "content_type": upward.content_type, "gateway_at": upward.gateway_at.map(time),
        "payload": base64(&upward.payload),
    })
}

fn of_audit(entry: &AuditEntry) -> Value {
    json!({
        "actor": actor(entry.actor), "action": entry.action,
        "patient": entry.patient.map(|patient| patient.to_string()),
        "resource": entry.resource, "allowed": entry.allowed, "rule": entry.rule,
        "remote": entry.remote,
    })
}

fn of_command(command: &Command, privacy: Privacy) -> Value {
    let mut body = json!({
        "actor": actor(command.actor),
        // The notation leaves out what is about a person.
        "wish": format!("{:?}", command.wish),
    });
    if privacy == Privacy::Told
        && let Some(body) = body.as_object_mut()
    {
        body.insert("patient_data".to_owned(), patient_data(&command.wish));
    }
    body
}

fn patient_data(wish: &Wish) -> Value {
    match wish {
        Wish::PutPatient(patient) => {
            let born = patient.birth_date.as_ref().map(|date| {
                let model::Date { year, month, day } = date.0;
                format!("{year:04}-{month:02}-{day:02}")
            });
            json!({
                "record_number": patient.record_number.0, "given_name": patient.given_name.0,
                "family_name": patient.family_name.0, "birth_date": born,
                "here_for": patient.here_for.0,
            })
        }
        Wish::PutStaff(staff) => json!({ "name": staff.name.0 }),
        Wish::Chart(charting) => json!({ "note": charting.note.0 }),
        Wish::EndAlarm { words, .. } => json!({ "words": words.0 }),
        Wish::OpenInEmergency(access) => json!({ "words": access.words.0 }),
        Wish::PlanDose(dose) => json!({ "words": dose.words.0 }),
        Wish::PutOrg(_)
        | Wish::PutSite(_)
        | Wish::PutCareUnit(_)
        | Wish::PutRoom(_)
        | Wish::PutBed(_)
        | Wish::PutUser(_)
        | Wish::PutDevice(_)
        | Wish::SetLifecycle { .. }
        | Wish::PutCertificate(_)
        | Wish::RevokeCertificate(_)
        | Wish::Associate(_)
        | Wish::Occupy(_)
        | Wish::Assign(_)
        | Wish::SetLimits { .. }
        | Wish::SetSpO2Scale { .. }
        | Wish::Acknowledge { .. }
        | Wish::Invite { .. }
        | Wish::SetPassword { .. }
        | Wish::OpenSession(_)
        | Wish::SetUnitLimits { .. }
        | Wish::ClearUnitLimits { .. }
        | Wish::ClearLimits { .. }
        | Wish::OfferHandOver(_)
        | Wish::AcceptHandOver(_)
        | Wish::EndHandOver(_)
        | Wish::NotePulse(_)
        | Wish::NoteDisk(_)
        | Wish::SendCommand(_)
        | Wish::SecondCommand(_)
        | Wish::WithdrawCommand(_)
        | Wish::Configure(_)
        | Wish::Bind(_)
        | Wish::OfferClaim { .. }
        | Wish::Claim { .. }
        | Wish::ReviewEmergency(_)
        | Wish::ClearDose(_)
        | Wish::Share(_)
        | Wish::EndShare(_)
        | Wish::Correct(_)
        | Wish::PutHold(_)
        | Wish::EndHold { .. }
        | Wish::CloseSession(_) => Value::Null,
    }
}

fn actor(actor: Actor) -> Value {
    match actor {
        Actor::User(user) => json!({ "user": user.to_string() }),
        Actor::Device(device) => json!({ "device": device.to_string() }),
        Actor::System => json!("system"),
    }
}

fn counted(counted: Option<Counted>) -> Value {
    counted.map_or(Value::Null, |Counted { boot, seq }| json!({ "boot": boot, "seq": seq }))
}

fn offset_ns(clock: Clock) -> Option<i64> {
    match clock {
        Clock::Unsynchronised => None,
        Clock::Synchronised { offset_ns } => Some(offset_ns),
    }
}

/// RFC 3339, to the nanosecond; an instant outside of the calendar as its number.
fn time(at: Timestamp) -> Value {
    let nanos = at.unix_nanos();
    jiff::Timestamp::from_nanosecond(nanos.into())
        .map_or_else(|_| nanos.into(), |at| at.to_string().into())
}

#[cfg(test)]
mod tests {
    use model::{OrgId, PartitionId, Patient, PatientId, Redacted, Sex, SpO2Scale};
    use record::{Frame, Position};
    use store::LogOffset;

    use super::*;

    const ID: &str = "0192f0c1-2b3a-7c4d-8e5f-00000000000a";

    fn record(kind: u16, body_version: u8, body: Vec<u8>) -> Record {
        let (org, partition): (OrgId, PartitionId) = (ID.parse().unwrap(), ID.parse().unwrap());
        let position = Position { partition, seq: 3 };
        let received_at = Timestamp::from_unix_millis(1_700_000_000_000);
        let frame = Frame { kind, body_version, org, position, received_at, key_id: 0, body };
        Record { offset: LogOffset::from_bytes(99), frame }
    }

    fn patient() -> Body {
        let text = |text: &str| Redacted(text.to_owned());
        let id: PatientId = ID.parse().unwrap();
        let wish = Wish::PutPatient(Patient {
            id,
            org: ID.parse().unwrap(),
            record_number: text("BR 204 118"),
            given_name: text("Ilse"),
            family_name: text("Brandt"),
            birth_date: None,
            sex: Sex::Female,
            here_for: text("pneumonia"),
            spo2_scale: SpO2Scale::One,
        });
        Body::Command(Command { actor: Actor::System, wish })
    }

    #[test]
    fn a_dump_names_nobody_unless_it_is_asked_to() {
        let (kind, version, body) = patient().encode();
        let record = record(kind, version, body);
        let kept = line_of(&record, Privacy::Kept);
        assert_eq!((&kept["name"], &kept["seq"]), (&json!("command"), &json!(3)));
        assert_eq!(kept["received_at"], "2023-11-14T22:13:20Z");
        let text = kept.to_string();
        for private in ["Ilse", "Brandt", "BR 204", "pneumonia"] {
            assert!(!text.contains(private), "{private} in {text}");
        }
        let told = line_of(&record, Privacy::Told);
        assert_eq!(told["body"]["patient_data"]["family_name"], "Brandt");
    }

    #[test]
    fn every_kind_that_a_journal_holds_has_a_name() {
        assert_eq!((name_of(15), name_of(13)), ("mqtt_note".into(), "mqtt_retained".into()));
        assert!(Kinds::ALL.iter().all(|(kind, _)| !name_of(*kind).starts_with("kind_")));
        assert_eq!((name_of(DECISIONS), name_of(999)), ("decisions".into(), "kind_999".into()));
    }

    #[test]
    fn a_body_that_cannot_be_read_is_shown_as_it_is() {
        let line = line_of(&record(1, 77, b"foo".to_vec()), Privacy::Kept);
        assert_eq!((&line["name"], &line["body"]["bytes"]), (&json!("unreadable"), &json!("Zm9v")));
        assert!(line["body"]["why"].as_str().unwrap().contains("version 77"), "{line}");
    }
}
