//! Clients among themselves: what one says and others hear, in all its variations.

use std::time::Duration;

use super::{
    ward::{Bearer, Raw, connect_bytes},
    *,
};

/// Two clients of one gateway, by its own names for them.
pub(super) struct Pair {
    pub ward: Ward,
    pub bearer: Bearer,
}

impl Pair {
    pub(super) async fn open(limits: Limits) -> Self {
        let ward = Ward::open(limits).await;
        let bearer = ward.bearer(1);
        ward.gateways.lock().unwrap().push(bearer.device);
        Self { ward, bearer }
    }

    pub(super) async fn come(&mut self, name: &str) -> Speaker {
        self.come_with(name, &[]).await
    }

    /// Comes with properties of CONNECT.
    pub(super) async fn come_with(&mut self, name: &str, properties: &[u8]) -> Speaker {
        let bytes = with_properties(&connect_bytes(5, name, 0), properties);
        self.let_in(name, &bytes).await.0
    }

    /// Comes without a clean start, with properties of CONNECT; the session is there.
    pub(super) async fn come_back(&mut self, name: &str, properties: &[u8]) -> Speaker {
        let mut bytes = with_properties(&connect_bytes(5, name, 0), properties);
        bytes[9] = 0;
        let (speaker, present) = self.let_in(name, &bytes).await;
        assert!(present, "{name} has no session");
        speaker
    }

    async fn let_in(&mut self, name: &str, connect: &[u8]) -> (Speaker, bool) {
        let mut raw = self.ward.raw(&self.bearer).await;
        raw.write(connect).await;
        let mut speaker = Speaker { raw, name: name.to_owned() };
        let (head, body) = speaker.read().await;
        assert_eq!((head, body[1]), (0x20, 0), "{name} was not let in: {body:x?}");
        assert_eq!(self.ward.tell(1).await, ["opened"]);
        (speaker, body[0] == 1)
    }

    pub(super) async fn take_in(&mut self, count: usize) -> Vec<String> {
        self.ward.take_in(count).await
    }

    /// Subscribes and reads the codes; properties and the option byte as the wire has them.
    pub(super) async fn subscribe(
        &mut self,
        speaker: &mut Speaker,
        filter: &str,
        options: u8,
        properties: &[u8],
    ) -> u8 {
        let mut body = vec![0, 9, properties.len() as u8];
        body.extend(properties);
        body.extend([0, filter.len() as u8]);
        body.extend(filter.bytes());
        body.push(options);
        speaker.write(0x82, &body).await;
        self.take_in(1).await;
        let (head, body) = speaker.read().await;
        assert_eq!((head, &body[..2]), (0x90, &[0, 9][..]));
        body[3]
    }
}

fn with_properties(connect: &[u8], properties: &[u8]) -> Vec<u8> {
    // Fixed header 2, name 6, level, flags, keep alive 2, then the property length 0.
    let mut bytes = connect[..12].to_vec();
    bytes.push(properties.len() as u8);
    bytes.extend(properties);
    bytes.extend(&connect[13..]);
    bytes[1] += properties.len() as u8;
    bytes
}

/// A client that says and reads packets of MQTT 5.
pub(super) struct Speaker {
    raw: Raw,
    name: String,
}

impl Speaker {
    pub(super) async fn write(&mut self, head: u8, body: &[u8]) {
        let packet = [&[head, u8::try_from(body.len()).unwrap()], body].concat();
        self.raw.write(&packet).await;
    }

    pub(super) async fn read(&mut self) -> (u8, Vec<u8>) {
        let [head, len] = self.raw.read_exactly(2).await[..] else { unreachable!() };
        assert!(len < 128, "a longer packet than these tests read");
        (head, self.raw.read_exactly(len.into()).await)
    }

    /// Publishes; flags are those of the fixed header.
    pub(super) async fn publish(&mut self, flags: u8, id: u8, topic: &str, rest: &[u8]) {
        let mut body = vec![0, topic.len() as u8];
        body.extend(topic.bytes());
        if flags & 0b110 != 0 {
            body.extend([0, id]);
        }
        body.extend(rest);
        self.write(0x30 | flags, &body).await;
    }

    /// The next packet in words: a message as `flags topic id properties=payload`.
    pub(super) async fn hear(&mut self) -> String {
        let (head, body) = self.read().await;
        if head >> 4 != 3 {
            return format!("{head:02x} {}", hex(&body));
        }
        let (topic_len, rest) = (usize::from(body[1]), &body[2..]);
        let (topic, rest) = rest.split_at(topic_len);
        let (id, rest) = if head & 0b110 == 0 { (0, rest) } else { (rest[1], &rest[2..]) };
        let (properties, payload) = rest[1..].split_at(rest[0].into());
        let text = String::from_utf8(payload.to_vec()).unwrap();
        let topic = String::from_utf8(topic.to_vec()).unwrap();
        format!("{:x} {topic} {id} {}={text}", head & 15, hex(properties))
    }

    /// Answers a message of QoS 1.
    pub(super) async fn acknowledge(&mut self, id: u8) {
        self.write(0x40, &[0, id]).await;
    }

    /// Whether nothing comes before the answer to a ping.
    pub(super) async fn hears_nothing(&mut self) -> bool {
        self.write(0xc0, &[]).await;
        let (head, body) = self.read().await;
        assert!(head == 0xd0 || head >> 4 == 3, "{} hears {head:x} {body:x?}", self.name);
        head == 0xd0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn what_one_client_says_the_others_hear_once_it_is_durable() {
    let mut pair = Pair::open(Limits::default()).await;
    let (mut one, mut two) = (pair.come("one").await, pair.come("two").await);
    assert_eq!(pair.subscribe(&mut two, "z2m/#", 1, &[]).await, 1);
    one.publish(2, 1, "z2m/lamp", b"\0on").await;
    assert!(two.hears_nothing().await);
    assert_eq!(pair.take_in(1).await, ["message on"]);
    assert_eq!(two.hear().await, "2 z2m/lamp 1 =on");
    assert_eq!(one.hear().await, "40 0001");
}

#[tokio::test]
async fn a_message_of_qos_2_is_taken_once_and_its_id_is_free_after_its_release() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come_with("one", &[0x11, 0, 0, 1, 0]).await;
    assert_eq!(pair.take_in(1).await, ["note, session 0"]);
    one.publish(4, 7, "z2m/a", b"\0x").await;
    assert_eq!(pair.take_in(1).await, ["message x, received 7"]);
    assert_eq!(one.hear().await, "50 0007");
    // Again, as if PUBREC had been lost: nobody takes it a second time.
    one.publish(0xc, 7, "z2m/a", b"\0x").await;
    assert_eq!(one.hear().await, "50 0007");
    one.write(0x62, &[0, 7]).await;
    assert_eq!(pair.take_in(1).await, ["note, released 7"]);
    assert_eq!(one.hear().await, "70 0007");
    one.write(0x62, &[0, 7]).await;
    assert_eq!(one.hear().await, "70 000792", "there is no such id any more");
    one.publish(4, 7, "z2m/a", b"\0y").await;
    assert_eq!(pair.take_in(1).await, ["message y, received 7"]);
}

#[tokio::test]
async fn a_message_of_qos_2_goes_out_once_and_in_two_steps() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come("one").await;
    let mut two = pair.come_with("two", &[0x11, 0, 0, 1, 0]).await;
    pair.take_in(1).await;
    assert_eq!(pair.subscribe(&mut two, "z2m/+", 2, &[]).await, 2);
    one.publish(4, 1, "z2m/a", b"\0x").await;
    assert_eq!(pair.take_in(1).await, ["message x, queued 1@2"]);
    assert_eq!(two.hear().await, "4 z2m/a 1 =x");
    two.write(0x50, &[0, 1]).await;
    // That the client has it is kept before it may forget the id.
    assert_eq!(pair.take_in(1).await, ["note, taken 1"]);
    assert_eq!(two.hear().await, "62 0001");
    two.write(0x70, &[0, 1]).await;
    assert_eq!(pair.take_in(1).await, ["note, done 1"]);
    two.write(0x50, &[0, 9]).await;
    assert_eq!(two.hear().await, "62 000992", "nothing was sent under this id");
}

#[tokio::test]
async fn the_lower_qos_of_both_sides_counts() {
    // Published, granted, delivered.
    for (published, granted, delivered) in
        [(0, 2, 0), (1, 2, 1), (2, 2, 2), (2, 1, 1), (2, 0, 0), (1, 0, 0)]
    {
        let mut pair = Pair::open(Limits::default()).await;
        let (mut one, mut two) = (pair.come("one").await, pair.come("two").await);
        assert_eq!(pair.subscribe(&mut two, "z2m/#", granted, &[]).await, granted);
        one.publish(published << 1, 1, "z2m/a", b"\0x").await;
        pair.take_in(1).await;
        let heard = two.hear().await;
        assert_eq!(heard.as_bytes()[0], b'0' + (delivered << 1), "{published} {granted}: {heard}");
    }
}

#[tokio::test]
async fn a_retained_message_comes_as_its_subscriber_asked() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come("one").await;
    one.publish(3, 1, "z2m/a", b"\0x").await;
    assert_eq!(pair.take_in(1).await, ["message x, retained a"]);
    assert_eq!(one.hear().await, "40 0001");
    // Options of the subscription, whether it hears the retained message first and again.
    for (options, first, again) in [
        (0b00_0000, "1 z2m/a 0 =x", "1 z2m/a 0 =x"),
        (0b01_0000, "1 z2m/a 0 =x", "-"),
        (0b10_0000, "-", "-"),
    ] {
        let mut two = pair.come("two").await;
        for expected in [first, again] {
            pair.subscribe(&mut two, "z2m/#", options, &[]).await;
            match expected {
                "-" => assert!(two.hears_nothing().await, "{options:b}"),
                _ => assert_eq!(two.hear().await, expected, "{options:b}"),
            }
        }
        drop(two);
        assert_eq!(pair.take_in(1).await, ["closed Lost"]);
    }
    // A message of now has the flag only for whoever wants it as it was published.
    for (options, flags) in [(0b10_0000, 0), (0b10_1000, 1)] {
        let mut two = pair.come("two").await;
        pair.subscribe(&mut two, "z2m/a", options, &[]).await;
        one.publish(3, 1, "z2m/a", b"\0y").await;
        assert_eq!(pair.take_in(1).await, ["message y, retained a"]);
        assert_eq!(two.hear().await, format!("{flags} z2m/a 0 =y"));
        assert_eq!(one.hear().await, "40 0001");
        drop(two);
        pair.take_in(1).await;
    }
    one.publish(3, 1, "z2m/a", b"\0").await;
    assert_eq!(pair.take_in(1).await, ["message , no retained a"]);
    let mut two = pair.come("two").await;
    pair.subscribe(&mut two, "z2m/#", 0, &[]).await;
    assert!(two.hears_nothing().await);
}

#[tokio::test]
async fn a_device_with_too_many_retained_messages_hears_so() {
    let mut pair = Pair::open(Limits { retained_per_device_max: 1, ..Limits::default() }).await;
    let mut one = pair.come("one").await;
    for (topic, told, answer) in
        [("z2m/a", "message x, retained a", "40 0001"), ("z2m/b", "message x", "40 00019700")]
    {
        one.publish(3, 1, topic, b"\0x").await;
        assert_eq!(pair.take_in(1).await, [told]);
        assert_eq!(one.hear().await, answer);
    }
    assert_eq!(pair.ward.handle.counters().not_retained, 1);
}

#[tokio::test]
async fn the_id_of_a_message_of_qos_2_that_was_refused_is_free_again_also_after_a_restart() {
    let limits = Limits { retained_per_device_max: 0, ..Limits::default() };
    let mut pair = Pair::open(limits.clone()).await;
    let mut one = pair.come_with("one", &[0x11, 0, 0, 1, 0]).await;
    pair.take_in(1).await;
    one.publish(5, 7, "z2m/a", b"\0x").await;
    assert_eq!(pair.take_in(1).await, ["message x"], "its id is not kept");
    assert_eq!(one.hear().await, "50 00079700");
    // The same id means another message.
    one.publish(4, 7, "z2m/a", b"\0y").await;
    assert_eq!(pair.take_in(1).await, ["message y, received 7"]);
    assert_eq!(one.hear().await, "50 0007");
    one.publish(5, 8, "z2m/a", b"\0x").await;
    assert_eq!(pair.take_in(1).await, ["message x"]);
    assert_eq!(one.hear().await, "50 00089700");
    let ward = Ward::open_with(limits, pair.ward.recalled()).await;
    let bearer = ward.bearer(1);
    ward.gateways.lock().unwrap().push(bearer.device);
    let mut pair = Pair { ward, bearer };
    let mut one = pair.come_back("one", &[0x11, 0, 0, 1, 0]).await;
    pair.take_in(1).await;
    one.publish(0xc, 7, "z2m/a", b"\0y").await;
    assert_eq!(one.hear().await, "50 0007", "that one was taken before");
    one.publish(4, 8, "z2m/a", b"\0z").await;
    assert_eq!(pair.take_in(1).await, ["message z, received 8"]);
}

#[tokio::test]
async fn gateways_of_one_site_do_not_hear_each_other() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come("one").await;
    let other = pair.ward.bearer(2);
    pair.ward.gateways.lock().unwrap().push(other.device);
    let own = std::mem::replace(&mut pair.bearer, other);
    let mut two = pair.come("two").await;
    pair.subscribe(&mut two, "z2m/#", 1, &[]).await;
    one.publish(3, 1, "z2m/lamp", b"\0on").await;
    assert_eq!(pair.take_in(1).await, ["message on, retained lamp"]);
    assert_eq!(one.hear().await, "40 0001");
    pair.subscribe(&mut two, "z2m/lamp", 1, &[]).await;
    assert!(two.hears_nothing().await);
    pair.bearer = own;
    let mut three = pair.come("three").await;
    pair.subscribe(&mut three, "z2m/#", 1, &[]).await;
    assert_eq!(three.hear().await, "3 z2m/lamp 1 =on", "a client of the same gateway");
}

#[tokio::test]
async fn no_local_keeps_a_clients_own_messages_from_it() {
    let mut pair = Pair::open(Limits::default()).await;
    let (mut one, mut two) = (pair.come("one").await, pair.come("two").await);
    pair.subscribe(&mut one, "z2m/#", 0b100, &[]).await;
    pair.subscribe(&mut two, "z2m/#", 0, &[]).await;
    one.publish(0, 0, "z2m/a", b"\0mine").await;
    two.publish(0, 0, "z2m/a", b"\0yours").await;
    pair.take_in(2).await;
    assert_eq!(one.hear().await, "0 z2m/a 0 =yours");
    assert_eq!(two.hear().await, "0 z2m/a 0 =mine");
    // On a shared subscription it has no meaning, and is an error.
    one.write(0x82, b"\0\x09\0\0\x0a$share/g/a\x04").await;
    assert_eq!(&one.hear().await[..5], "e0 82");
}

#[tokio::test]
async fn a_client_with_several_subscriptions_hears_a_message_once_with_all_their_identifiers() {
    let mut pair = Pair::open(Limits::default()).await;
    let (mut one, mut two) = (pair.come("one").await, pair.come("two").await);
    for (filter, options, id) in [("z2m/#", 0, 5), ("z2m/+", 1, 6), ("z2m/a", 0, 0)] {
        let properties = if id == 0 { vec![] } else { vec![0x0b, id] };
        pair.subscribe(&mut two, filter, options, &properties).await;
    }
    one.publish(2, 1, "z2m/a", b"\0x").await;
    pair.take_in(1).await;
    let heard = two.hear().await;
    assert!(heard == "2 z2m/a 1 0b050b06=x" || heard == "2 z2m/a 1 0b060b05=x", "{heard}");
    assert!(two.hears_nothing().await);
}

#[tokio::test]
async fn members_of_a_shared_subscription_take_turns() {
    let mut pair = Pair::open(Limits::default()).await;
    let (mut one, mut two) = (pair.come("one").await, pair.come("two").await);
    for member in [&mut one, &mut two] {
        assert_eq!(pair.subscribe(member, "$share/g/z2m/#", 1, &[]).await, 1);
    }
    let mut speaker = pair.come("speaker").await;
    for payload in [b"\0a", b"\0b", b"\0c", b"\0d"] {
        speaker.publish(0, 0, "z2m/a", payload).await;
        pair.take_in(1).await;
    }
    let mut heard = Vec::new();
    for member in [&mut one, &mut two] {
        heard.extend([member.hear().await, member.hear().await]);
        assert!(member.hears_nothing().await);
    }
    heard.sort();
    let expected = ["a", "b", "c", "d"].map(|text| format!("0 z2m/a 0 ={text}"));
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn what_a_member_did_not_take_goes_to_another_when_its_session_ends() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come("one").await;
    pair.subscribe(&mut one, "$share/g/z2m/#", 1, &[]).await;
    let mut speaker = pair.come("speaker").await;
    speaker.publish(2, 1, "z2m/a", b"\0x").await;
    pair.take_in(1).await;
    assert_eq!(one.hear().await, "2 z2m/a 1 =x");
    let mut two = pair.come("two").await;
    pair.subscribe(&mut two, "$share/g/z2m/#", 1, &[]).await;
    assert!(two.hears_nothing().await);
    drop(one);
    assert_eq!(pair.take_in(1).await, ["closed Lost"]);
    pair.ward.advance(Duration::from_secs(1));
    assert_eq!(pair.take_in(1).await, ["note"]);
    assert_eq!(two.hear().await, "2 z2m/a 1 =x");
}

#[tokio::test]
async fn properties_are_passed_on_and_the_expiry_counts_down() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come("one").await;
    let mut two = pair.come_with("two", &[0x11, 0, 0, 1, 0]).await;
    pair.take_in(1).await;
    pair.subscribe(&mut two, "z2m/#", 1, &[]).await;
    drop(two);
    pair.take_in(2).await;
    // Payload format, expiry of 9 s, response topic, correlation data, a user property.
    let properties = b"\x01\x01\x02\0\0\0\x09\x08\0\x01r\x09\0\x01c\x26\0\x01k\0\x01v";
    let rest = [&[properties.len() as u8], &properties[..], b"x"].concat();
    one.publish(2, 1, "z2m/a", &rest).await;
    pair.take_in(1).await;
    pair.ward.advance(Duration::from_secs(4));
    let mut two = pair.come_back("two", &[0x11, 0, 0, 1, 0]).await;
    let expected = format!(
        "2 z2m/a 1 {}=x",
        hex(b"\x01\x01\x02\0\0\0\x05\x08\0\x01r\x09\0\x01c\x26\0\x01k\0\x01v")
    );
    assert_eq!(two.hear().await, expected);
}

#[tokio::test]
async fn no_more_is_on_its_way_than_the_client_takes() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come("one").await;
    // Receive Maximum 1, Maximum Packet Size 20, Topic Alias Maximum 1.
    let properties = [0x21, 0, 1, 0x27, 0, 0, 0, 20, 0x22, 0, 1];
    let mut two = pair.come_with("two", &properties).await;
    pair.subscribe(&mut two, "z2m/#", 1, &[]).await;
    for rest in [&b"\0far too long a message"[..], b"\0x", b"\0y"] {
        one.publish(2, 1, "z2m/a", rest).await;
        pair.take_in(1).await;
        assert_eq!(one.hear().await, "40 0001");
    }
    assert_eq!(two.hear().await, "2 z2m/a 2 230001=x");
    assert!(two.hears_nothing().await);
    two.acknowledge(2).await;
    assert_eq!(two.hear().await, "2  3 230001=y", "the topic is known by its alias");
    assert_eq!(pair.ward.handle.counters().dropped, 1);
}

#[tokio::test]
async fn a_message_that_is_not_durable_reaches_nobody_and_is_new_when_it_comes_again() {
    let mut pair = Pair::open(Limits::default()).await;
    let (mut one, mut two) = (pair.come("one").await, pair.come("two").await);
    pair.subscribe(&mut two, "z2m/#", 2, &[]).await;
    one.publish(5, 7, "z2m/a", b"\0x").await;
    let mut message = pair.ward.draw_message().await;
    let (bodies, company) = message.companions(false);
    message.accompany(company);
    assert_eq!(bodies.len(), 1, "it is retained");
    message.drop_unanswered(crate::Unanswered::Full);
    assert!(two.hears_nothing().await);
    pair.ward.advance(Limits::default().never_answered_max);
    assert_eq!(one.hear().await, "e0 9700");
    assert_eq!(pair.take_in(1).await, ["closed Refused"]);
    let mut three = pair.come("three").await;
    pair.subscribe(&mut three, "z2m/#", 0, &[]).await;
    assert!(three.hears_nothing().await, "nothing was retained");
}

#[tokio::test]
async fn a_gateway_hears_its_own_grants_only() {
    let mut pair = Pair::open(Limits::default()).await;
    let mut one = pair.come("one").await;
    for (filter, code) in [
        ("z2m/+/set", 0),
        ("z2m", 0),
        ("z2m/#", 0),
        ("$share/g/z2m/#", 0),
        ("+/lamp", 0x87),
        ("#", 0x87),
        ("z2n/#", 0x87),
        ("$share/g/#", 0x87),
        ("$SYS/#", 0x87),
    ] {
        let found = {
            let mut body = vec![0, 9, 0, 0, filter.len() as u8];
            body.extend(filter.bytes());
            body.push(0);
            one.write(0x82, &body).await;
            loop {
                let arrival = pair.ward.draw().await;
                let is_note = matches!(arrival, crate::Arrival::Note(_));
                pair.ward.take_one(arrival).await;
                if is_note {
                    break;
                }
            }
            one.read().await.1[3]
        };
        assert_eq!(found, code, "{filter}");
    }
}

#[tokio::test]
async fn a_short_keep_alive_acts_in_time() {
    let mut ward = Ward::open(Limits::default()).await;
    let bearer = ward.bearer(1);
    let mut raw = ward.raw(&bearer).await;
    raw.greet(&bearer, 2).await;
    assert_eq!(ward.tell(1).await, ["opened"]);
    // One and a half times two seconds, long before the ten of a CONNECT.
    ward.advance(Duration::from_secs(3));
    assert_eq!(ward.tell(1).await, ["closed Lost"]);
}
