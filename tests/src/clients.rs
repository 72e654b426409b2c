//! Clients that others wrote are served by the book, and what they send is readable
//! two seconds later, to the last digit.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    payload::{Cbor, ECG, SENML_CBOR, SENML_JSON, WAVE, Wave, pack, senml_now},
    server::{Home, Server},
    strangers::talk,
    tools::{self, file, find, not_run, output, run},
    waiting::eventually,
    ward::{Device, READABLE_WITHIN, Span, Ward},
};

/// The bedside monitor's numerics: name, unit, value as sent, vital, value as read.
const NUMERICS: [(&str, &str, &str, &str, f64); 7] = [
    ("MDC_ECG_HEART_RATE", "beat/min", "71.5", "heart_rate", 71.5),
    ("MDC_PULS_OXIM_SAT_O2", "%", "97", "saturation", 97.0),
    ("MDC_RESP_RATE", "1/min", "14", "respiratory_rate", 14.0),
    ("MDC_TEMP", "Cel", "36.85", "temperature", 36.85),
    ("MDC_PRESS_BLD_NONINV_SYS", "mmHg", "118", "systolic_pressure", 118.0),
    ("MDC_PRESS_BLD_NONINV_DIA", "mmHg", "76.250", "diastolic_pressure", 76.25),
    ("MDC_ATTR_VAL_BATT_CHARGE", "%", "8.1e1", "battery_level", 81.0),
];

#[test]
fn paho_3_1_1_publishes_and_subscribes_as_the_standard_says() {
    paho("3.1.1", "paho_3_1_1_publishes_and_subscribes_as_the_standard_says");
}

#[test]
fn paho_5_publishes_and_subscribes_as_the_standard_says() {
    paho("5", "paho_5_publishes_and_subscribes_as_the_standard_says");
}

fn paho(version: &str, test: &str) {
    let python = match tools::python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "PAHO-1", 0);
    let records: Vec<(&str, &str, &str)> =
        NUMERICS.iter().map(|(name, unit, sent, ..)| (*name, *unit, *sent)).collect();
    let wave = Wave::of(&device.id, 7, 0);
    let messages = [
        (device.up("num"), Some(SENML_JSON), pack(7, 1, &senml_now(), &records)),
        (device.up("num"), Some(SENML_CBOR), pulse_in_cbor(2)),
        (device.up(&format!("wave/{ECG}")), Some(WAVE), wave.encode()),
        (device.up("event"), None, b"{\"event\":\"nurse-called\"}".to_vec()),
    ];
    let filters = [device.down("#"), "wl/1/#".to_owned(), device.up("#"), device.down("cmd/+")];
    let said = talk(&python, &home, &server, (&device, version), &filters, &messages);
    assert_eq!(said["connack"], 0);
    let refused = if version == "5" { 0x87 } else { 0x80 };
    // What is its own it may hear, in both directions.
    assert_eq!(said["suback"], json!([1, refused, 1, 1]));
    assert_eq!(said["puback"], json!([0, 0, 0, 0]));
    for (.., vital, value) in NUMERICS {
        let found = eventually(vital, READABLE_WITHIN, || {
            let points = ward.trend(0, vital, &Span::around_now());
            points.first().copied().ok_or_else(|| format!("no {vital} in the trend"))
        });
        assert_eq!(found.1, Some(value), "{vital} in the trend");
        if vital == "battery_level" {
            // A battery is the device's, and not on the patient's page.
            continue;
        }
        let numeric = ward.sees(0, vital, value);
        assert_eq!(numeric["device"], device.id, "{vital}");
        assert_eq!(numeric["clock"], "device", "{vital}");
    }
    ward.sees(0, "pulse_rate", 70.5);
    reads_the_wave(&ward, &wave);
}

/// A pulse rate of 70.5 as SenML in CBOR (RFC 8428, section 6).
fn pulse_in_cbor(seq: i64) -> Vec<u8> {
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1_000.0;
    let cbor = Cbor::default().array(3);
    let cbor = cbor.map(3).int(-3).double(now).int(0).text("wl:boot");
    let cbor = cbor.int(3).text("0000000000000007");
    let cbor = cbor.map(2).int(0).text("wl:seq").int(2).int(seq);
    let cbor = cbor.map(3).int(0).text("MDC_PULS_OXIM_PULS_RATE").int(1).text("beat/min");
    // A decimal fraction, 705 × 10^-1: tag 4 and a pair (RFC 8949, section 3.4.4).
    let mut cbor = cbor.int(2);
    cbor.0.push(0xc4);
    cbor.array(2).int(-1).int(705).0
}

/// The waveform is readable as it was sent, sample by sample.
fn reads_the_wave(ward: &Ward, wave: &Wave) {
    let span = eventually("the waveform is readable", READABLE_WITHIN, || {
        ward.waves(0, ECG, &Span::around_now())
            .into_iter()
            .next()
            .ok_or_else(|| "it is not".to_owned())
    });
    let samples: Vec<Value> = wave.samples.iter().map(|sample| json!(sample)).collect();
    assert_eq!(span["samples"], json!(samples));
    assert_eq!(span["rate_hz"].as_f64(), Some(250.0));
    assert_eq!(span["unit"], "mV");
}

#[test]
fn mosquitto_pub_and_sub_are_served_in_both_versions() {
    let test = "mosquitto_pub_and_sub_are_served_in_both_versions";
    if find("mosquitto_pub").is_none() || find("mosquitto_sub").is_none() {
        return not_run(
            test,
            "mosquitto_pub or mosquitto_sub is missing; install mosquitto-clients",
        );
    }
    let home = Home::new();
    let server = Server::start(&home);
    let ward = Ward::build(&server);
    let device = ward.enrol_on("bedside-monitor", "MOSQUITTO-1", 0);
    for (index, version) in ["mqttv311", "mqttv5"].into_iter().enumerate() {
        let value = format!("{}.125", 81 + index);
        let records = [("MDC_ECG_HEART_RATE", "beat/min", value.as_str())];
        let payload = pack(9, index as u64, &senml_now(), &records);
        let payload = file(home.path(), "payload.json", payload);
        let mut publish = mosquitto("mosquitto_pub", version, &home, &server, &device);
        publish.args(["-q", "1", "-t", &device.up("num"), "-f"]).arg(payload);
        if version == "mqttv5" {
            publish.args(["-D", "PUBLISH", "content-type", SENML_JSON]);
        }
        run(&mut publish);
        ward.sees(0, "heart_rate", value.parse().unwrap());
        let mut subscribe = mosquitto("mosquitto_sub", version, &home, &server, &device);
        subscribe.args(["-d", "-q", "1", "-W", "2", "-t", &device.down("#"), "-t", "wl/1/#"]);
        let said = output(&mut subscribe);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let refused = if version == "mqttv5" { 135 } else { 128 };
        assert!(said.contains(&format!("Subscribed (mid: 1): 1, {refused}")), "{said}");
    }
}

fn mosquitto(
    program: &str,
    version: &str,
    home: &Home,
    server: &Server,
    device: &Device,
) -> Command {
    let papers = device.papers(home);
    let mut command = Command::new(program);
    command.args(["-V", version, "-h", "localhost", "-p", &server.mqtt_port().to_string()]);
    command.args(["-i", &format!("{}-{program}", device.id)]);
    command.arg("--cafile").arg(papers.ca).arg("--cert").arg(papers.certificate);
    command.arg("--key").arg(papers.key);
    command
}
