//! Clients that others wrote, from one to another through the server: every QoS, retained,
//! shared, and left behind, over TCP and over WebSocket.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::*;
use crate::tools::{ask, find, not_run, python, run};

#[test]
fn paho_relays_every_qos_retained_shared_and_a_will() {
    relays("paho", "tcp", "paho_relays_every_qos_retained_shared_and_a_will");
}

#[test]
fn paho_relays_the_same_over_websockets() {
    relays("paho", "websockets", "paho_relays_the_same_over_websockets");
}

#[test]
fn aiomqtt_relays_every_qos_retained_shared_and_a_will() {
    relays("aiomqtt", "tcp", "aiomqtt_relays_every_qos_retained_shared_and_a_will");
}

fn relays(library: &str, transport: &str, test: &str) {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let module = if library == "paho" { "paho.mqtt" } else { "aiomqtt" };
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).output().unwrap();
    if !found.status.success() {
        return not_run(
            test,
            &format!("{module} is missing; run `cargo xtask test --only set-up`"),
        );
    }
    for version in BOTH {
        let field = Field::new();
        let said = relay(&python, &field, library, transport, version);
        let heard: Vec<(String, String, u64, bool)> =
            serde_json::from_value(said["heard"].clone()).unwrap();
        let (work, rest): (Vec<_>, Vec<_>) =
            heard.into_iter().partition(|(topic, ..)| topic == "work");
        let expected = [
            ("kept", "kept", 1, true),
            ("qos0", "of QoS 0", 0, false),
            ("qos1", "of QoS 1", 1, false),
            ("qos2", "of QoS 2", 2, false),
            ("left", "left", 2, false),
        ];
        let expected = expected.map(|(t, p, q, r)| (t.to_owned(), p.to_owned(), q, r));
        assert_eq!(rest, expected, "{library} {version:?}");
        let work: Vec<u32> = work.iter().map(|(_, payload, ..)| payload.parse().unwrap()).collect();
        assert_eq!(work, (0..20).collect::<Vec<u32>>(), "{library} {version:?}");
        let shared: Vec<u64> = serde_json::from_value(said["shared"].clone()).unwrap();
        assert_eq!(shared.iter().sum::<u64>(), 20, "{library} {version:?}: {shared:?}");
        assert_eq!(said["codes"], json!([2, 1, 1]), "{library} {version:?}");
    }
}

fn relay(python: &Path, field: &Field, library: &str, transport: &str, version: Version) -> Value {
    let papers = field.device.papers(field.stage.home());
    let server = &field.stage.server;
    let port = if transport == "tcp" { server.mqtt_port() } else { server.https_port() };
    let wish = json!({
        "library": library,
        "transport": transport,
        "host": "localhost",
        "port": port,
        "ca": papers.ca,
        "certificate": papers.certificate,
        "key": papers.key,
        "version": if version == Version::V5 { "5" } else { "3.1.1" },
        "client_id": field.device.id,
        "root": field.root(),
    });
    ask(python, "relay.py", &wish)
}

/// A client of Mosquitto that is killed with this value.
struct Mosquitto(Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mosquitto(program: &str, field: &Field, version: Version, suffix: &str) -> Command {
    let papers = field.device.papers(field.stage.home());
    let version = if version == Version::V5 { "mqttv5" } else { "mqttv311" };
    let port = field.stage.server.mqtt_port().to_string();
    let mut command = Command::new(program);
    command.args(["-V", version, "-h", "localhost", "-p", &port, "-i", &field.id(suffix)]);
    command.arg("--cafile").arg(papers.ca).arg("--cert").arg(papers.certificate);
    command.arg("--key").arg(papers.key);
    command
}

#[test]
fn mosquitto_relays_every_qos_retained_shared_and_a_will() {
    if find("mosquitto_pub").is_none() || find("mosquitto_sub").is_none() {
        let why = "mosquitto_pub or mosquitto_sub is missing; install mosquitto-clients";
        return not_run("mosquitto_relays_every_qos_retained_shared_and_a_will", why);
    }
    for version in BOTH {
        let field = Field::new();
        let publish = |qos: &str, leaf: &str, payload: &str, retain: bool| {
            let mut command = mosquitto("mosquitto_pub", &field, version, "publisher");
            command.args(["-q", qos, "-t", &field.topic(leaf), "-m", payload]);
            run(command.args(retain.then_some("-r")));
        };
        publish("2", "a/kept", "kept", true);
        let mut hears = mosquitto("mosquitto_sub", &field, version, "hears");
        hears.args(["-q", "2", "-t", &field.topic("a/#"), "-F", "%q %r %p"]);
        hears.args(["-t", &format!("$share/group/{}", field.topic("b"))]);
        hears.args([
            "--will-topic",
            &field.topic("c"),
            "--will-payload",
            "left",
            "--will-qos",
            "2",
        ]);
        let mut hears = Mosquitto(hears.stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(hears.0.stdout.take().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        // The retained message says that the subscription is there; the shared one may be behind it.
        assert_eq!(next(), "2 1 kept");
        for qos in ["0", "1", "2"] {
            publish(qos, "a/x", "plain", false);
            assert_eq!(next(), format!("{qos} 0 plain"));
        }
        publish("2", "b", "shared", false);
        assert_eq!(next(), "2 0 shared");
        let mut witness = field.client(version, "witness");
        assert_eq!(witness.subscribe(&[(&field.topic("c"), 2)]), [2]);
        drop(hears);
        let will = witness.take();
        assert_eq!((will.payload.as_str(), will.qos), ("left", 2));
        publish("1", "a/kept", "", true);
    }
}
