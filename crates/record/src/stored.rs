//! The stored forms of the other inputs and of commands: which index is which field.
//!
//! A number is never reused, not even for something removed.

use crate::{
    Actor, AuditEntry, ClockStep, Command, Counted, DeadLetter, DiskLevel, DiskNote, Duplicate,
    Part, Presence, PresenceChange, Pulse, Replayed, SealedWave, SegmentHead, Session, Spoke,
    ThinnedSegment, TurnedAway, Upward, WaveBlock, Wish, coded,
};

coded! {
    struct Counted { 0 boot, 1 seq }
    struct WaveBlock {
        0 device, 1 channel, 2 counted, 3 device_at, 4 device_now, 5 gateway_at, 6 clock,
        7 may_be_buffered, 8 payload
    }
    struct DeadLetter {
        0 id, 1 device, 2 door, 3 topic, 4 content_type, 5 reason, 6 explanation, 7 payload
    }
    struct Duplicate { 0 device, 1 counted, 2 channel, 3 samples }
    struct Presence { 0 device, 1 change, 2 remote }
    enum PresenceChange { 0 Connected, 1 Disconnected, 2 Lost, 3 TakenOver, 4 Refused }
    struct SealedWave { 0 block, 1 payload_len_bytes, 2 payload_sha256 }
    struct ThinnedSegment {
        0 from, 1 to, 2 blocks, 3 bytes_before, 4 bytes, 5 oldest, 6 newest, 7 keep_days,
        8 keep_bytes
    }
    struct Spoke { 0 device, 1 door, 2 remote }
    struct Upward { 0 device, 1 leaf, 2 content_type, 3 payload, 4 gateway_at }
    struct ClockStep { 0 jumped_ns }
    struct SegmentHead { 0 offset, 1 next }
    struct Part { 0 kind, 1 body_version, 2 number, 3 of, 4 bytes }
    struct TurnedAway {
        0 door, 1 remote, 2 device, 3 serial, 4 fingerprint, 5 reason, 6 words, 7 count, 8 first_at,
        9 last_at, 10 subject
    }
    struct Replayed { 0 letter, 1 by, 2 mended, 3 outcome, 4 words }

    enum Actor { 0 User(id), 1 Device(id), 2 System }
    struct Command { 0 actor, 1 wish }
    struct Pulse {
        0 messages_per_ks, 1 readings_per_ks, 2 durable_p99_us, 3 decided_p99_us, 4 journal_bytes,
        5 connections, 6 started_at
    }
    enum DiskLevel { 0 Roomy, 1 NearlyFull, 2 AlmostFull }
    struct DiskNote { 0 level, 1 used_percent, 2 free_bytes, 3 total_bytes }
    struct Session { 0 id, 1 user, 2 token_hash, 3 opened_at, 4 expires_at }
    struct AuditEntry { 0 actor, 1 action, 2 patient, 3 resource, 4 allowed, 5 rule, 6 remote }
    enum Wish {
        0 PutOrg(org),
        1 PutSite(site),
        2 PutCareUnit(care_unit),
        3 PutRoom(room),
        4 PutBed(bed),
        5 PutPatient(patient),
        6 PutStaff(staff),
        7 PutUser(user),
        8 PutDevice(device),
        9 SetLifecycle { 0 device, 1 lifecycle, 2 why },
        10 PutCertificate(certificate),
        11 RevokeCertificate(id),
        12 Associate(line),
        13 Occupy(line),
        14 Assign(line),
        15 SetLimits { 0 patient, 1 limits },
        16 SetSpO2Scale { 0 patient, 1 scale },
        17 Chart(charting),
        18 Acknowledge { 0 alarm, 1 quiet_for },
        19 EndAlarm { 0 alarm, 1 reason, 2 words },
        20 Invite { 0 user, 1 token_hash, 2 expires_at },
        21 SetPassword { 0 user, 1 password_hash },
        22 OpenSession(session),
        23 CloseSession(id),
        40 SetUnitLimits { 0 care_unit, 1 band, 2 limits },
        41 ClearUnitLimits { 0 care_unit, 1 band, 2 vital },
        42 ClearLimits { 0 patient, 1 vital },
        43 OfferHandOver(hand_over),
        44 AcceptHandOver(id),
        45 EndHandOver(id),
        46 NotePulse(pulse),
        60 SendCommand(command),
        61 SecondCommand(id),
        62 WithdrawCommand(id),
        63 Configure(config),
        64 Bind(line),
        65 OfferClaim { 0 device, 1 code_hash, 2 expires_at },
        66 Claim { 0 code_hash, 1 care_unit, 2 subject },
        80 OpenInEmergency(access),
        81 ReviewEmergency(id),
        82 PlanDose(dose),
        83 ClearDose(id),
        84 Share(share),
        85 EndShare(user),
        86 PutHold(hold),
        87 EndHold { 0 hold, 1 why },
        90 Correct(correction),
        88 NoteDisk(note),
    }
}
