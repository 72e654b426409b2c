//! Clients by paho-mqtt, as processes of their own: one conversation, or devices
//! that publish through restarts of the server.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    server::{Home, Server},
    tools::{ask, script},
    ward::{Device, base64},
};

/// A message of [`talk`]: topic, media type, payload.
pub(crate) type Message<'a> = (String, Option<&'a str>, Vec<u8>);

/// One conversation of a device; the answer holds `connack`, `suback` and `puback`.
pub(crate) fn talk(
    python: &Path,
    home: &Home,
    server: &Server,
    (device, version): (&Device, &str),
    filters: &[String],
    messages: &[Message<'_>],
) -> Value {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(topic, kind, payload)| json!({ "topic": topic, "kind": kind, "payload": base64(payload) }))
        .collect();
    let mut wish = paper(home, device, version);
    wish["client_id"] = json!(device.id);
    wish["host"] = json!("localhost");
    wish["port"] = json!(server.mqtt_port());
    wish["subscribe"] = json!(filters);
    wish["messages"] = json!(messages);
    ask(python, "talk.py", &wish)
}

fn paper(home: &Home, device: &Device, version: &str) -> Value {
    let papers = device.papers(home);
    json!({
        "id": device.id,
        "site": device.site,
        "version": version,
        "ca": papers.ca,
        "certificate": papers.certificate,
        "key": papers.key,
    })
}

/// Devices that publish as fast as they are acknowledged, by MQTT of their version or by `https`,
/// or as fast as an ECG is measured, by `wave`.
pub(crate) struct Publisher {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What they sent and what was acknowledged, one JSON object a line.
    pub(crate) told: PathBuf,
    /// How much of it [`Self::news`] has given.
    read: usize,
}

impl Publisher {
    /// Starts the process; nothing is connected yet. Without a length messages are heart rates, or
    /// blocks of an ECG.
    pub(crate) fn start(
        python: &Path,
        home: &Home,
        devices: &[(Device, &str)],
        payload_len: Option<usize>,
    ) -> Self {
        let told = home.path().join("told.jsonl");
        let mut child = Command::new(python)
            .arg(script("publisher.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let clients: Vec<Value> =
            devices.iter().map(|(device, version)| paper(home, device, version)).collect();
        let wish = json!({ "told": told, "payload_len": payload_len, "clients": clients });
        let mut commands = child.stdin.take().unwrap();
        writeln!(commands, "{wish}").unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, commands, answers, told, read: 0 }
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the publisher ended at `{command}`");
        answer.trim_end().to_owned()
    }

    /// All devices connect and publish.
    pub(crate) fn go(&mut self, server: &Server) {
        assert_eq!(
            self.ask(&format!("go {} {}", server.mqtt_port(), server.https_port())),
            "going"
        );
    }

    /// Nothing new is published; what is on its way stays there.
    pub(crate) fn hush(&mut self) {
        assert_eq!(self.ask("hush"), "hushed");
    }

    /// All devices let their connections go.
    pub(crate) fn pause(&mut self) {
        assert_eq!(self.ask("pause"), "paused");
    }

    /// Waits for the acknowledgements of all that was sent.
    pub(crate) fn settle(&mut self, within: Duration) {
        let answer = self.ask(&format!("settle {}", within.as_secs()));
        assert_eq!(answer, "settled 0", "messages stay unacknowledged");
    }

    /// How many messages were sent, and how many were acknowledged.
    pub(crate) fn count(&mut self) -> (u64, u64) {
        let answer = self.ask("count");
        let numbers: Vec<u64> = answer.split(' ').filter_map(|it| it.parse().ok()).collect();
        let [sent, acked] = numbers[..] else { panic!("`{answer}` is no count") };
        (sent, acked)
    }

    /// What was told since the last time.
    pub(crate) fn news(&mut self) -> Vec<Value> {
        let mut file = File::open(&self.told).unwrap();
        file.seek(SeekFrom::Start(self.read as u64)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole;
        text[..whole].lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = writeln!(self.commands, "end");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
