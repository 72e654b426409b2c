//! The words of refusals: what was found, and what a person does about it.

use std::time::Duration;

use model::Timestamp;
use security::CertificateFacts;
use transport::RefusedWhy;

/// The stable word of a refused connection, and what was found.
pub(crate) fn of_connection(
    at: Timestamp,
    why: RefusedWhy,
    facts: Option<&CertificateFacts>,
) -> (&'static str, String) {
    let reason = match (why, facts) {
        (RefusedWhy::Expired, Some(facts)) if facts.not_before > at => {
            let ahead = span(facts.not_before.since(at));
            return ("tls:not_yet", format!("its certificate begins only in {ahead}"));
        }
        (RefusedWhy::Expired, Some(facts)) => {
            let ago = span(at.since(facts.not_after));
            return ("tls:expired", format!("its certificate ended {ago} ago"));
        }
        (RefusedWhy::Expired, None) => "tls:expired",
        (RefusedWhy::NoCertificate, _) => "tls:no_certificate",
        (RefusedWhy::ForeignAuthority, _) => "tls:foreign",
        (RefusedWhy::Revoked, _) => "tls:revoked",
        (RefusedWhy::BadCertificate, _) => "tls:unreadable",
        (RefusedWhy::NotTls, _) => "tls:not_tls",
        (RefusedWhy::RefusedUs, _) => "tls:refused_us",
        (RefusedWhy::HandshakeTooSlow, _) => "tls:slow",
        (RefusedWhy::Crowded | RefusedWhy::TooMany, _) => "server:crowded",
        (RefusedWhy::ConnectTooSlow, _) => "mqtt:slow",
        (RefusedWhy::UnknownDevice, _) => "device:unknown",
        (RefusedWhy::Quarantined, _) => "device:quarantined",
        (RefusedWhy::Retired, _) => "device:retired",
        (RefusedWhy::NotReady, _) => "server:not_ready",
        (RefusedWhy::ClientId, _) => "mqtt:client_id",
        (RefusedWhy::Will, _) => "mqtt:will",
        (RefusedWhy::Filter, _) => "mqtt:filter",
        (RefusedWhy::TooManySessions, _) => "mqtt:sessions",
        (RefusedWhy::QueueFull, _) => "mqtt:queue",
        (RefusedWhy::QueuesFull, _) => "mqtt:queues",
        (RefusedWhy::PutOut, _) => "device:put_out",
        (RefusedWhy::Protocol(_), _) => "mqtt:protocol",
    };
    (reason, why.to_string())
}

/// What a person does about a refusal, by its stable word.
pub fn remedy(reason: &str) -> &'static str {
    match reason {
        "tls:no_certificate" => {
            "Put the certificate and key that were issued for the device on it, and connect again."
        }
        "tls:expired" => {
            "Issue a new certificate on the device's page. If it should still be good, compare the server's clock."
        }
        "tls:not_yet" => "Compare the server's clock: the certificate is from its future.",
        "tls:foreign" => {
            "The device holds a certificate of another authority. Issue one on its page here."
        }
        "tls:revoked" => {
            "Somebody revoked this certificate. If the device is sound, issue a new one on its page."
        }
        "tls:unreadable" => "The certificate names no device. Issue one on the device's page.",
        "tls:not_tls" => {
            "Set the device to TLS 1.3 and to the port for devices; this port takes nothing else."
        }
        "tls:refused_us" => {
            "Set the device's clock first: a clock that is years off makes every certificate look ended. Then give it this ward's authority (ca.pem)."
        }
        "tls:slow" | "mqtt:slow" => {
            "The network between is slow or drops packets. Look at the cable, the access point, the firewall."
        }
        "server:crowded" => {
            "The server has as many connections as it takes. Devices try again by themselves; find out who connects so often."
        }
        "server:not_ready" => {
            "The server is starting or stopping. The device tries again by itself."
        }
        "device:unknown" => {
            "Add the device on the devices screen, or put it in service if it is only ordered."
        }
        "device:other_org" => "The certificate is of another organization. Issue one here.",
        "device:ordered" => "Provision the device: issue its certificate and move it along.",
        "device:quarantined" => {
            "It was cut off on purpose; its life says by whom and why. Put it in service again once that is mended."
        }
        "device:retired" => "Retired for good. Take it off the network, or add it anew.",
        "device:put_out" => "It was put out while it connected. Its life says why.",
        "mqtt:client_id" => {
            "Set the client id to the device's number, to text that begins with it, or to at most 23 letters and digits."
        }
        "mqtt:will" => "Set the will's topic to the device's own `up/state`.",
        "mqtt:filter" => "Subscribe below the device's own `down/` only.",
        "mqtt:sessions" => {
            "The device has opened several sessions. Give it one client id that stays the same."
        }
        "mqtt:queue" => {
            "The device hears slower than it is spoken to, or was away too long. Look at its network, and at what it subscribes to; it has to subscribe anew."
        }
        "mqtt:queues" => {
            "The server ran short of room for messages to devices, and this one had most of them waiting. It has to subscribe anew; find out why it does not fetch them."
        }
        "mqtt:protocol" => "The device breaks MQTT. Tell its maker the words beside this.",
        _ => of_a_message(reason),
    }
}

/// What a person does about a message that was not taken.
fn of_a_message(reason: &str) -> &'static str {
    match reason {
        "clock:off" => {
            "Set the device's clock, or let it follow the network's time. Its messages are kept with our time until then."
        }
        "topic:not_yours" => {
            "The device published on another's topic. Set the topic to the one on its page."
        }
        "topic:gateway" | "gateway:no_child" => {
            "Let the gateway name the device in each message: by the base name of a pack, by `device` in a report."
        }
        "gateway:not_bound" => {
            "On the page of the device behind it, say that this gateway speaks for it."
        }
        "gateway:child" => "Register the device behind the gateway, and put it in service.",
        _ if reason.starts_with("topic") => {
            "Correct the topic; the device's page says where it begins."
        }
        _ if reason.starts_with("senml") || reason.starts_with("wave") => {
            "The message cannot be read as it is. Correct the device's profile or its firmware, then replay the dead letter."
        }
        _ => "The dead letter of this message holds all that is known.",
    }
}

/// A span in the largest whole unit, such as `3 years`.
pub(crate) fn span(span: Duration) -> String {
    const UNITS: [(u64, &str); 5] =
        [(365 * 86_400, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = span.as_secs();
    let fits = UNITS.iter().find(|(unit, _)| seconds >= *unit);
    let (count, word) = fits.map_or((0, "second"), |(unit, word)| (seconds / unit, *word));
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
