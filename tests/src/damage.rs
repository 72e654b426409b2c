//! A bit that flips in what is stored: nothing of it is served, the gap says why, and the running
//! server makes it again from its journal.

use std::{fs, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::{
    exports::{Past, rfc3339},
    server::{Server, program},
    tools::{ask, not_run, output, python},
    waiting::eventually,
};

const HEART_RATE: &str = "MDC_ECG_HEART_RATE";

/// The heart rate of the second patient over the last day: points, and the reasons of gaps.
fn last_day(server: &Server, past: &Past) -> (Vec<Value>, Vec<Value>) {
    let from = rfc3339(past.turn_ns - 84_000 * 1_000_000_000);
    let to = rfc3339(past.turn_ns + 1_860 * 1_000_000_000);
    let path = format!(
        "/api/v1/patients/{}/trends?vital=heart_rate&from={from}&to={to}",
        past.ward.patients[1]
    );
    let trend = past.ward.at(server).charge.get(&path)["series"][0].clone();
    let reasons = trend["gaps"].as_array().unwrap().iter().map(|gap| gap["reason"].clone());
    (trend["points"].as_array().unwrap().clone(), reasons.collect())
}

#[test]
fn a_flipped_bit_is_a_gap_with_its_reason_until_the_server_has_made_the_chunk_again() {
    let test = "a_flipped_bit_is_a_gap_with_its_reason_until_the_server_has_made_the_chunk_again";
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let past = Past::make(&python, "DAMAGE-1");
    let server = Server::start(&past.home);
    let (points, reasons) = last_day(&server, &past);
    assert!(points.len() >= 10, "{points:?}");
    assert!(!reasons.contains(&json!("damaged")), "{reasons:?}");
    let path = past.home.data().join("series/series.sqlite");
    let mut stopped = server;
    for part in [0.02, 0.5, 0.97] {
        stopped.stop();
        let wish = json!({ "path": path, "channel": HEART_RATE, "part": part });
        let flipped = ask(&python, "rot_chunk.py", &wish);
        assert!(flipped["items"].as_i64() >= Some(20), "{flipped}");
        // Whoever looks at a stopped directory is told.
        let mut verify = Command::new(program());
        verify.args(["store", "verify", "--json"]).arg(past.home.data());
        let looked = output(&mut verify);
        let told: Value = serde_json::from_slice(&looked.stdout).unwrap();
        assert_eq!((looked.status.success(), &told["sound"]), (false, &json!(false)));
        let place = told["damage"][0]["place"].as_str().unwrap();
        assert!(place.starts_with("series.sqlite, series "), "{told}");
        let server = Server::start(&past.home);
        // The first question is answered with everything else.
        let (left, reasons) = last_day(&server, &past);
        assert!(left.iter().all(|point| points.contains(point)), "{left:?}");
        assert!(left.len() < points.len() && reasons.contains(&json!("damaged")), "{reasons:?}");
        eventually("the chunk to be made again", Duration::from_secs(60), || {
            match last_day(&server, &past) {
                (found, reasons) if !reasons.contains(&json!("damaged")) => {
                    assert_eq!(found, points);
                    Ok(())
                }
                (_, reasons) => Err(format!("{reasons:?}")),
            }
        });
        let damage = past.ward.at(&server).admin.get("/api/v1/system")["damage"].clone();
        assert_eq!((&damage["standing"], &damage["mended"]), (&json!(0), &json!(1)), "{damage}");
        let chunk = &damage["chunks"][0];
        assert_eq!((&chunk["channel"], &chunk["state"]), (&json!(HEART_RATE), &json!("mended")));
        assert_eq!((&chunk["vital"], &chunk["label"]), (&json!("heart_rate"), &json!("HR")));
        assert_eq!(chunk["from_ms"], flipped["from_ms"]);
        stopped = server;
    }
    stopped.stop();
    crate::server::verify(&past.home.data());
}

#[test]
fn an_export_of_a_damaged_directory_says_what_it_lacks() {
    let test = "an_export_of_a_damaged_directory_says_what_it_lacks";
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run(test, &why),
    };
    let past = Past::make(&python, "DAMAGE-2");
    Server::start(&past.home).stop();
    let path = past.home.data().join("series/series.sqlite");
    let wish = json!({ "path": path, "channel": HEART_RATE, "part": 0.5 });
    let flipped = ask(&python, "rot_chunk.py", &wish);
    let folder = past.export("damaged", "csv", past.of_device(), (-1_800, 1_900));
    let stated = fs::read_to_string(folder.join("coverage.json")).unwrap();
    let stated: Value = serde_json::from_str(&stated).unwrap();
    let lost = stated["damaged"].as_array().unwrap();
    assert!(lost.iter().any(|it| it["channel"] == HEART_RATE), "{stated}");
    let values = fs::read_to_string(folder.join("values.csv")).unwrap();
    assert!(!values.contains(HEART_RATE), "of {flipped} nothing is in it: {values}");
}
