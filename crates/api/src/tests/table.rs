//! The table of routes: nobody gets past it, and the committed description is of it.

use std::{collections::BTreeSet, path::Path};

use axum::{body::Body, http::Method};
use security::{Action, Resource, Who, permit};

use super::house::House;
use crate::routes::{Access, BASE, Route, Scope, table};

/// An address for a route; the ids are of the ward, or of nothing.
fn address(route: &Route, ids: &[(Scope, String)]) -> String {
    let scope = match route.access {
        Access::Permitted(_, scope) => Some(scope),
        Access::Public(_) | Access::SignedIn => None,
    };
    let id = ids
        .iter()
        .find(|(of, _)| Some(*of) == scope)
        .map_or("0192f0c1-2b3a-7c4d-8e5f-00000000002a", |(_, id)| id);
    let path = route.path.replace("{id}", id).replace("{vital}", "heart_rate");
    let path = path.replace("{certificate}", "0192f0c1-2b3a-7c4d-8e5f-00000000002a");
    let path = path.replace("{command}", "0192f0c1-2b3a-7c4d-8e5f-00000000002a");
    let query = if scope == Some(Scope::CareUnitOfQuery) {
        format!("?care_unit={}", ids[0].1)
    } else {
        String::new()
    };
    format!("{BASE}{}{query}", path.replace("{token}", "x").replace("{login}", "x"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_shut_without_a_session_and_for_roles_that_lack_its_action() {
    let house = House::open().await;
    let ward = house.ward().await;
    let device = house.monitor(&ward).await;
    let ilse = super::own::patient(&house, &ward).await;
    let ids = [
        (Scope::CareUnit, ward.unit.clone()),
        (Scope::ChargePost, ward.unit.clone()),
        (Scope::Patient, ward.patient.clone()),
        (Scope::Bed, ward.beds[0].clone()),
        (Scope::Room, ward.room.clone()),
        (Scope::Site, ward.site.clone()),
        (Scope::Device, device),
    ];
    let (mut shut, mut forbidden) = (0, 0);
    let people = [
        ("priya", &ward.nurse),
        ("tom", &ward.charge),
        ("mara", &ward.physician),
        ("admin", &ward.admin),
        ("br001", &ilse),
    ];
    for route in table() {
        let Access::Permitted(action, scope) = route.access else {
            assert!(
                !route.path.contains("{id}"),
                "{} is about something and asks nobody",
                route.path
            );
            continue;
        };
        let path = address(&route, &ids);
        let request = house.stranger().request(route.method.clone(), &path, Body::from("{}"));
        assert_eq!(
            house.stranger().send(request).await.problem().0,
            401,
            "{} {path}",
            route.method
        );
        shut += 1;
        // Alarms are made by readings, hand-overs by nurses; their own tests have one.
        if matches!(scope, Scope::Alarm | Scope::HandOver | Scope::Emergency) {
            continue;
        }
        for (login, browser) in people {
            let user = house.api.engine.directory();
            let user = user.users_by_login(login).next().unwrap();
            let unit = if scope == Scope::Org { None } else { Some(ward.unit.parse().unwrap()) };
            let own = user.patient.filter(|_| scope == Scope::Own);
            let resource = Resource { care_unit: unit, patient: own, ..Resource::org(house.org) };
            let who: Who =
                crate::guard::who(&house.api.engine.directory(), user, house.api.clock.now());
            if permit(&who, action, &resource).is_allowed() {
                continue;
            }
            let request = browser.request(route.method.clone(), &path, Body::from("{}"));
            let (status, kind, detail) = browser.send(request).await.problem();
            assert_eq!(
                (status, kind.as_str()),
                (403, "forbidden"),
                "{login} {} {path}: {detail}",
                route.method
            );
            assert!(detail.contains(action.word()), "{detail}");
            forbidden += 1;
        }
    }
    assert!(shut > 35 && forbidden > 60, "{shut} routes shut, {forbidden} times forbidden");
}

#[test]
fn every_action_of_the_policy_has_a_route() {
    let used: BTreeSet<_> = table()
        .iter()
        .filter_map(|route| match route.access {
            Access::Permitted(action, _) => Some(action),
            Access::Public(_) | Access::SignedIn => None,
        })
        .collect();
    // Asked of everybody whom a device measured in a span, whom no path can name.
    let by_handlers = [Action::CorrectReadings];
    let is_unused = |it: &&Action| !used.contains(it) && !by_handlers.contains(it);
    let unused: Vec<_> = Action::ALL.iter().filter(is_unused).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn no_two_rows_have_one_address_and_public_ones_say_why() {
    let mut seen = BTreeSet::new();
    for route in table() {
        assert!(
            seen.insert((route.method.to_string(), route.path)),
            "{} {}",
            route.method,
            route.path
        );
        assert!(
            route.path.starts_with('/')
                && !route.summary.is_empty()
                && !route.summary.ends_with('.')
        );
        if let Access::Public(why) = route.access {
            assert!(why.len() > 10, "{}", route.path);
        }
        let takes = route.takes.is_some();
        assert!(!takes || route.method != Method::GET, "{} takes a body", route.path);
    }
}

#[test]
fn no_two_shapes_have_one_name() {
    let mut seen = std::collections::BTreeMap::new();
    for route in table() {
        let shapes = [route.takes, route.answers].into_iter().flatten();
        for (name, schema) in shapes.flat_map(|shape| shape.schemas) {
            let text = serde_json::to_string(&schema).unwrap();
            let first = seen.entry(name.clone()).or_insert_with(|| text.clone());
            assert_eq!(*first, text, "{name} is two different shapes");
        }
    }
}

#[test]
fn the_committed_description_is_that_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let fresh = crate::document().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == fresh,
        "docs/openapi.json is not what the code says; run the test with UPDATE=1 and read the diff"
    );
    let document: serde_json::Value = serde_json::from_str(&fresh).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let routed: BTreeSet<String> =
        table().iter().map(|it| format!("{} {BASE}{}", it.method, it.path)).collect();
    assert_eq!(described, routed);
    // Each reference leads somewhere.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text =
        fresh.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
    let dangling: BTreeSet<&str> = text.filter(|name| !schemas.contains_key(*name)).collect();
    assert!(dangling.is_empty(), "{dangling:?}");
}
