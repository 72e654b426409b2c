//! The server's time for devices without a clock: sent at each SUBSCRIBE that hears
//! `down/time`, so that it is of that moment and never an old one that was kept.

use std::sync::Arc;

use model::{DeviceId, SiteId, Timestamp};

use super::{
    mail::Mail,
    proto::Qos,
    {Said, topic::hears},
};

/// The time as devices are told it, in whole numbers: `{"unix_s":1767258000,"ns":250000000}`.
pub fn time_payload(now: Timestamp) -> String {
    let nanos = now.unix_nanos();
    let (seconds, rest) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    format!(r#"{{"unix_s":{seconds},"ns":{rest}}}"#)
}

/// The time as a message, if one of the filters asks for it.
pub(super) fn time_mail<'f>(
    (site, device): (SiteId, DeviceId),
    mut filters: impl Iterator<Item = &'f str>,
    subscription_id: Option<u32>,
    now: Timestamp,
) -> Option<Mail> {
    let topic = format!("wl/1/{site}/{device}/down/time");
    if !filters.any(|filter| hears(filter, &topic)) {
        return None;
    }
    let said = Said {
        topic: topic.into(),
        content_type: Some("application/json".to_owned()),
        payload: time_payload(now).into(),
        qos: Qos::AtMostOnce,
        expires_at: None,
        extra: None,
    };
    Some(Mail {
        said: Arc::new(said),
        id: 0,
        qos: Qos::AtMostOnce,
        retain: false,
        subscription_ids: subscription_id.into_iter().collect(),
        shared: None,
    })
}

#[test]
fn the_time_is_told_to_whoever_asks_for_it_and_to_nobody_else() {
    let id = 0x0192_f0c1_2b3a_7c4d_8e5f_0000_0000_0001;
    let (site, device) = (SiteId::from_uuid(id).unwrap(), DeviceId::from_uuid(id + 1).unwrap());
    let now = Timestamp::from_unix_nanos(1_767_258_000_250_000_000);
    let check = |filter: &str, hears: bool| {
        let filter = filter.replace("{D}", &format!("wl/1/{site}/{device}"));
        let mail = time_mail((site, device), [filter.as_str()].into_iter(), Some(7), now);
        assert_eq!(mail.is_some(), hears, "{filter}");
        if let Some(mail) = mail {
            assert_eq!(&mail.said.payload[..], br#"{"unix_s":1767258000,"ns":250000000}"#);
            assert_eq!((mail.subscription_ids, mail.qos), (vec![7], Qos::AtMostOnce));
        }
    };
    check("{D}/down/time", true);
    check("{D}/down/#", true);
    check("{D}/down/+", true);
    check("{D}/down/cfg", false);
    check("{D}/down/cmd/+", false);
    let before_1970 = time_payload(Timestamp::from_unix_nanos(-1));
    assert_eq!(before_1970, r#"{"unix_s":-1,"ns":999999999}"#);
}
