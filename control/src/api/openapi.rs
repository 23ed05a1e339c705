//! docs/openapi.json says what the API is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use wirepath_stack::worker::FlowInfo;
use wirepath_tcp::Path;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tuple::{Endpoint, Tuple};

use super::capture::{CAPTURE, ONE_CAPTURE};
use super::flows::{LIMIT_MAX, TOP_MAX};
use super::model::{Details, Flow, FlowPage, Listener, NewListener, Problem, Rank};
use super::pools::BackendChange;
use super::server::{OPENAPI, PATHS};
use super::stats::{BackendStats, PoolStats, Quantiles, QueueStats, Stats, WorkerStats};
use super::trace::TRACE;
use crate::config::{AdminChoice, Diff};

fn document() -> Value {
    serde_json::from_str(OPENAPI).expect("docs/openapi.json is JSON")
}

/// The value has exactly the properties that the schema of this name has, all of them required.
fn check(name: &str, value: impl Serialize) {
    check_with(name, &value, &value);
}

/// One value has exactly the properties that the schema of this name has, the other those that are
/// required.
fn check_with(name: &str, whole: &impl Serialize, least: &impl Serialize) {
    let document = document();
    let schema = &document["components"]["schemas"][name];
    let declared = schema["properties"].as_object();
    let declared: BTreeSet<&str> = declared
        .unwrap_or_else(|| panic!("there is no schema {name}"))
        .keys()
        .map(String::as_str)
        .collect();
    let required = schema["required"].as_array().expect("a list");
    let required: BTreeSet<&str> = required.iter().filter_map(Value::as_str).collect();
    let [whole, least] = [fields(whole), fields(least)];
    assert_eq!(
        declared,
        whole.iter().map(String::as_str).collect(),
        "{name}"
    );
    let least = least.iter().map(String::as_str).collect();
    assert_eq!(required, least, "what {name} requires");
}

fn fields(value: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(value).expect("it can be JSON");
    let object = value.as_object().expect("an object");
    object.keys().cloned().collect()
}

#[test]
fn every_schema_has_the_fields_of_its_type() {
    let endpoint = "192.0.2.1:7".parse().expect("an endpoint");
    let name = String::new;
    let half = Endpoint::from(endpoint);
    let flow = Flow::of(
        &FlowInfo {
            tuple: Tuple {
                local: half,
                remote: half,
            },
            state: State::TimeWait,
            info: None,
            deadline: Some(Instant::ZERO),
        },
        Instant::ZERO,
    );
    check("Timer", flow.timer.clone().expect("TIME-WAIT has a timer"));
    check("Flow", flow);
    check("FlowPage", FlowPage::default());
    check("Diff", Diff::default());
    check("Problem", Problem { error: name() });
    check("Stats", Stats::default());
    check("WorkerStats", WorkerStats::default());
    check("Quantiles", Quantiles::default());
    check("QueueStats", QueueStats::default());
    check("PoolStats", PoolStats::default());
    let backend = BackendStats {
        address: endpoint,
        state: name(),
        held: 0,
        counters: BTreeMap::new(),
    };
    check("BackendStats", backend);
    let change = BackendChange {
        pool: name(),
        address: endpoint,
        state: AdminChoice::Drain,
    };
    check("BackendChange", change);
    let new = |pool| NewListener {
        endpoint,
        service: name(),
        pool,
    };
    check_with("NewListener", &new(Some(name())), &new(None));
    let listener = Listener {
        endpoint,
        service: name(),
        closing: false,
        held: 0,
        opened: 0,
        text_in: 0,
        text_out: 0,
    };
    check("Listener", listener);
    let path = Path::from_mtu(1_500, false);
    let connection = Connection::open(Instant::ZERO, Config::default(), path, SeqNum::new(1), 0);
    check("Details", Details::from(&connection.info()));
}

#[test]
fn every_path_is_described_and_no_other() {
    let document = document();
    let described = document["paths"].as_object().expect("an object").keys();
    let described: BTreeSet<&str> = described.map(String::as_str).collect();
    let others = [CAPTURE, ONE_CAPTURE, TRACE];
    let there = PATHS.into_iter().chain(others).collect();
    assert_eq!(described, there);
    let limit = &document["paths"]["/v1/flows"]["get"]["parameters"][2]["schema"];
    assert_eq!(limit["maximum"], LIMIT_MAX);
    let parameters = &document["paths"]["/v1/top"]["get"]["parameters"];
    assert_eq!(parameters[1]["schema"]["maximum"], TOP_MAX);
    let ranks = Rank::ALL.map(|rank| serde_json::to_value(rank).expect("a word"));
    assert_eq!(parameters[0]["schema"]["enum"], Value::from(ranks.to_vec()));
    assert_eq!(ranks, Rank::ALL.map(|rank| Value::from(rank.name())));
}
