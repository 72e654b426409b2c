//! Who comes in: the certificate's device under its own name, and nobody else.

use std::time::Duration;

use model::DeviceId;
use security::{Authority, Keys};
use store::Clock;

use super::{
    ward::{Bearer, START, connect_bytes, tell},
    *,
};
use crate::{Arrival, RefusedWhy, client_config};

const DAY: Duration = Duration::from_secs(86_400);

/// Tries to come in, and tells what the server says about it.
async fn refusal(ward: &mut Ward, bearer: &Bearer) -> String {
    let tried = within(Client::connect(ward.options(bearer, Version::V5))).await;
    assert!(tried.is_err());
    ward.tell(1).await.remove(0)
}

#[tokio::test]
async fn a_certificate_is_judged_before_a_byte_of_mqtt() {
    let mut ward = Ward::open(Limits::default()).await;
    let device = DeviceId::v7(START, 1);

    let expired =
        ward.authority.issue_device(ward.org, device, START.before(DAY * 2), DAY).unwrap();
    let expired = ward.bearer_with(device, expired);
    let words = "refused: the certificate is expired or not valid yet";
    assert_eq!(refusal(&mut ward, &expired).await, words);

    let early = ward.authority.issue_device(ward.org, device, START.after(DAY), DAY).unwrap();
    let early = ward.bearer_with(device, early);
    assert_eq!(refusal(&mut ward, &early).await, words);

    let (foreign, _) = Authority::create(Keys::system(), ward.org, START).unwrap();
    let foreign = foreign.issue_device(ward.org, device, START, DAY).unwrap();
    let foreign = ward.bearer_with(device, foreign);
    let words = "refused: the certificate is from a foreign authority";
    assert_eq!(refusal(&mut ward, &foreign).await, words);

    let server = ward.authority.issue_server(&["localhost".to_owned()], START, DAY).unwrap();
    let server = ward.bearer_with(device, server);
    let words = "refused: the certificate names no device or is not sound";
    assert_eq!(refusal(&mut ward, &server).await, words);

    let mut none = ward.bearer(1);
    none.tls = client_config(&ward.ca_pem, None, &Clock::manual(START)).unwrap();
    assert_eq!(refusal(&mut ward, &none).await, "refused: no certificate was presented");

    let revoked = ward.bearer(1);
    ward.revocations.revoke(&revoked.issued.serial);
    assert_eq!(refusal(&mut ward, &revoked).await, "refused: the certificate is revoked");
    // Another certificate of the same device is as good as before.
    let fresh = ward.bearer(1);
    ward.come(ward.options(&fresh, Version::V5)).await;
}

#[tokio::test]
async fn a_certificate_that_ends_while_nobody_looks_is_refused_at_the_next_handshake() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    ward.come(ward.options(&bearer, Version::V311)).await.goodbye(false).await.unwrap();
    assert_eq!(ward.tell(1).await, ["closed Disconnected"]);
    ward.advance(DAY + Duration::from_secs(1));
    let words = "refused: the certificate is expired or not valid yet";
    assert_eq!(refusal(&mut ward, &bearer).await, words);
}

#[tokio::test]
async fn a_server_that_the_client_does_not_know_is_left() {
    let ward = Ward::open(Limits::default()).await;
    let mut bearer = ward.bearer(1);
    let (_, other) = Authority::create(Keys::system(), ward.org, START).unwrap();
    let own = (bearer.issued.certificate_pem.as_str(), bearer.issued.key_pem.0.as_str());
    bearer.tls = client_config(&other.certificate_pem, Some(own), &ward.clock).unwrap();
    let left = within(Client::connect(ward.options(&bearer, Version::V5))).await;
    assert!(matches!(left, Err(ClientError::Io(_))));
}

#[tokio::test]
async fn a_device_that_may_not_connect_hears_why_in_its_versions_words() {
    // Why, then the codes of 5.0 and 3.1.1.
    let rows = [
        (RefusedWhy::UnknownDevice, 0x87, 5),
        (RefusedWhy::Quarantined, 0x8a, 5),
        (RefusedWhy::Retired, 0x8a, 5),
        (RefusedWhy::NotReady, 0x88, 3),
    ];
    for (why, new, old) in rows {
        for (version, code) in [(Version::V5, new), (Version::V311, old)] {
            let mut ward = Ward::open(Limits::default()).await;
            let bearer = ward.bearer(1);
            ward.banned.lock().unwrap().push((bearer.device, why));
            let refused = within(Client::connect(ward.options(&bearer, version))).await;
            let Err(ClientError::Refused { code: found, .. }) = refused else {
                unreachable!("{why} came in")
            };
            assert_eq!(found, code);
            let Arrival::Refused { identity, why: told, .. } = ward.draw().await else {
                unreachable!("nothing was told")
            };
            assert_eq!((identity.map(|who| who.device), told), (Some(bearer.device), why));
        }
    }
}

#[tokio::test]
async fn a_client_id_is_the_devices_or_begins_with_it_or_is_a_short_word() {
    let other = DeviceId::v7(START, 2).to_string();
    let own = DeviceId::v7(START, 1).to_string();
    let long = format!("{own}-{}", "x".repeat(128));
    // Client id, clean, the codes of 5.0 and 3.1.1; 0 comes in.
    let rows = [
        (own.clone(), true, 0, 0),
        (format!("{own}-logger"), true, 0, 0),
        (String::new(), true, 0, 0),
        (String::new(), false, 0, 2),
        (other, true, 0x85, 2),
        ("bed4".to_owned(), true, 0, 0),
        ("x".repeat(23), true, 0, 0),
        ("x".repeat(24), true, 0x85, 2),
        ("bed-4".to_owned(), true, 0x85, 2),
        (long, true, 0x85, 2),
        (format!("{own} x"), true, 0x85, 2),
    ];
    for (client_id, clean, new, old) in rows {
        for (version, code) in [(Version::V5, new), (Version::V311, old)] {
            let ward = Ward::open(Limits::default()).await;
            let options = ward.options(&ward.bearer(1), version);
            let options = ClientOptions { client_id: client_id.clone(), clean, ..options };
            let found = match within(Client::connect(options)).await {
                Ok(client) => {
                    let assigned = client.client_id().starts_with(&own);
                    assert!(assigned || !client_id.is_empty() || version == Version::V311);
                    0
                }
                Err(ClientError::Refused { code, .. }) => code,
                Err(other) => unreachable!("{other}"),
            };
            assert_eq!(found, code, "{client_id:?} {version:?}");
        }
    }
}

#[tokio::test]
async fn a_device_hears_what_is_its_own_and_nothing_else() {
    for (version, refused) in [(Version::V5, 0x87), (Version::V311, 0x80)] {
        let mut ward = Ward::open(Limits::default()).await;
        let (bearer, other) = (ward.bearer(1), ward.bearer(2));
        let mut client = ward.come(ward.options(&bearer, version)).await;
        let filters = [
            format!("{}/cmd/#", bearer.down),
            format!("{}/cmd/+", bearer.down),
            format!("{}/#", other.down),
            format!("{}/#", bearer.up),
            format!("{}/#", other.up),
            "#".to_owned(),
            format!("$share/g/{}/cmd/#", bearer.down),
            format!("$share/g/{}/#", other.down),
            "z2m/#".to_owned(),
        ];
        let filters: Vec<_> =
            filters.iter().map(|filter| (filter.as_str(), Qos::AtLeastOnce)).collect();
        let id = client.subscribe(&filters).unwrap();
        within(client.flush()).await.unwrap();
        ward.take_in(2).await;
        let codes = vec![1, 1, refused, 1, refused, refused, 1, refused, refused];
        assert_eq!(within(client.next()).await.unwrap(), Incoming::Subscribed { id, codes });
    }
}

#[tokio::test]
async fn a_will_for_another_device_is_refused() {
    for (version, code) in [(Version::V5, 0x87), (Version::V311, 5)] {
        let mut ward = Ward::open(Limits::default()).await;
        let (bearer, other) = (ward.bearer(1), ward.bearer(2));
        let will = Some(ClientWill {
            topic: format!("{}/state", other.up),
            payload: "gone".into(),
            retain: false,
            delay_s: 0,
        });
        let options = ClientOptions { will, ..ward.options(&bearer, version) };
        let refused = within(Client::connect(options)).await;
        assert!(matches!(refused, Err(ClientError::Refused { code: found, .. }) if found == code));
        let words = "refused: the will is for a topic that is not the device's";
        assert_eq!(tell(&ward.draw().await), words);
    }
}

#[tokio::test]
async fn whoever_is_revoked_while_connected_is_put_out() {
    let mut ward = Ward::open(Limits::default()).await;
    let (bearer, other) = (ward.bearer(1), ward.bearer(2));
    let mut client = ward.come(ward.options(&bearer, Version::V5)).await;
    let mut stays = ward.come(ward.options(&other, Version::V5)).await;
    ward.revocations.revoke(&bearer.issued.serial);
    assert_eq!(ward.handle.disconnect(bearer.device, Reason::NotAuthorized), 1);
    let expected = Incoming::PutOut { code: 0x87, words: None };
    assert_eq!(within(client.next()).await.unwrap(), expected);
    assert_eq!(ward.tell(1).await, ["closed Refused"]);
    assert_eq!(refusal(&mut ward, &bearer).await, "refused: the certificate is revoked");
    // A connection that had passed its handshake before is too late as well.
    let mut coming = ward.raw(&other).await;
    until(|| ward.handle.counters().connections == 2).await;
    assert_eq!(ward.handle.disconnect(other.device, Reason::Banned), 1);
    coming.write(&connect_bytes(4, &other.device.to_string(), 30)).await;
    assert_eq!(coming.read_to_end().await, [0x20, 2, 0, 5]);
    let expected = Incoming::PutOut { code: 0x98, words: None };
    assert_eq!(within(stays.next()).await.unwrap(), expected);
    let mut told = ward.tell(2).await;
    told.sort();
    let words = "refused: the device was put out while it connected";
    assert_eq!(told, ["closed Refused", words]);
    let mut stays = ward.come(ward.options(&other, Version::V5)).await;
    stays.ping();
    assert_eq!(within(stays.next()).await.unwrap(), Incoming::Pong);
}
