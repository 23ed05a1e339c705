//! The API, as docs/openapi.json describes it. Needs root.

mod support;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use rustix::thread::{Gid, Uid};
use serde_json::{Value, json};
use support::client::{self, ADDRESSES, OWNED_V4, SHARED_V4, SHARED_V6};
use support::http::{self, ask, get};
use support::server::Server;
use wirepath::netns::{Link, Network};

fn start(label: &str) -> (Network, Server) {
    let network = Network::direct(label, &Link::default()).unwrap();
    let addresses = client::all_addresses();
    let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let server = Server::start(&network, "echo", &arguments);
    (network, server)
}

/// Some bytes there and back.
fn ping(mut stream: &TcpStream) {
    stream.write_all(b"hello").unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"hello");
}

/// The resource of a listener.
fn listener(endpoint: &str) -> String {
    format!("/v1/listeners?endpoint={endpoint}")
}

#[test]
fn every_path_answers_to_the_methods_it_has_and_refuses_the_others() {
    let (_network, server) = start("paths");
    let description: Value = get(server.control(), "/v1/openapi.json").json();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 6);
    for (path, methods) in paths {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            // A capture lasts until somebody has enough.
            let resource = match path.as_str() {
                "/v1/capture" => "/v1/capture?seconds=0",
                path => path,
            };
            let answer = ask(server.control(), method, resource, "");
            if methods.get(method.to_ascii_lowercase()).is_none() {
                let error = answer.error(405);
                assert!(error.contains(method) && error.contains(path), "{error}");
                assert!(answer.head.contains("\r\nallow: "), "{answer:?}");
            } else if method == "GET" {
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
            } else if path == "/v1/reload" {
                // There is no file.
                answer.error(409);
            } else {
                // Without a body, or without saying which.
                answer.error(400);
            }
        }
    }
    let error = get(server.control(), "/v2/flows").error(404);
    assert!(error.contains("/v2/flows"), "{error}");
    server.stop();
}

#[test]
fn flows_come_by_pages_and_each_once() {
    const CONNECTIONS: usize = 700;
    const LIMIT: usize = 64;
    client::allow_many_files();
    let (network, server) = start("pages");
    let streams: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|n| client::connect(&network.client, (ADDRESSES[n % 4], 7)))
        .collect();
    streams.iter().for_each(ping);
    let (mut ends, mut next) = (Vec::new(), String::new());
    for pages in 1.. {
        let page = get(server.control(), &format!("/v1/flows?limit={LIMIT}{next}")).json();
        let flows = page["flows"].as_array().unwrap();
        assert!(flows.len() <= LIMIT);
        ends.extend(
            flows
                .iter()
                .map(|flow| format!("{} {}", flow["local"], flow["remote"])),
        );
        match page["next"].as_str() {
            Some(after) => next = format!("&after={after}"),
            None => {
                assert!(pages >= CONNECTIONS / LIMIT, "{pages}");
                break;
            }
        }
    }
    let different: BTreeSet<&String> = ends.iter().collect();
    assert_eq!((ends.len(), different.len()), (CONNECTIONS, CONNECTIONS));

    let filtered = format!("/v1/flows?filter=src%20{OWNED_V4}&limit=10000");
    let page = get(server.control(), &filtered).json();
    let flows = page["flows"].as_array().unwrap();
    assert_eq!(flows.len(), CONNECTIONS / 4);
    assert!(page["next"].is_null(), "{}", page["next"]);
    drop(streams);
    server.stop();
}

#[test]
fn parameters_that_make_no_sense_are_named() {
    let (_network, server) = start("parameters");
    for (query, wanted) in [
        ("limit=0", "limit=0"),
        ("limit=10001", "1 to 10000"),
        ("limit=many", "limit"),
        ("after=x", "after=x"),
        ("after=0-zz", "after=0-zz"),
        ("filter=state%20sleeping", "sleeping"),
        ("port=7", "port"),
    ] {
        let error = get(server.control(), &format!("/v1/flows?{query}")).error(400);
        assert!(error.contains(wanted), "{query}: {error}");
    }
    // A page of a server that had more workers is at the end.
    let page = get(server.control(), "/v1/flows?after=99-0").json();
    assert_eq!(page, json!({"flows": [], "next": null}));
    server.stop();
}

#[test]
fn a_listener_comes_and_goes_while_connections_stay() {
    let (network, server) = start("listeners");
    let control = server.control();
    let refused = client::try_connect(&network.client, (OWNED_V4, 4000)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let endpoint = format!("{OWNED_V4}:4000");
    let new = json!({"endpoint": endpoint, "service": "echo"}).to_string();
    let added = ask(control, "POST", "/v1/listeners", &new);
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.json()["endpoint"], endpoint);
    let stream = client::connect(&network.client, (OWNED_V4, 4000));
    ping(&stream);
    let again = ask(control, "POST", "/v1/listeners", &new).error(409);
    assert!(again.contains("already"), "{again}");
    let known = |field: &str| {
        let listeners = get(control, "/v1/listeners").json();
        let mut listeners = listeners.as_array().unwrap().iter();
        let listener = listeners.find(|listener| listener["endpoint"] == endpoint);
        listener.map(|listener| listener[field].clone())
    };
    assert_eq!(known("service"), Some(json!("echo")));
    assert_eq!(
        (known("held"), known("opened")),
        (Some(json!(1)), Some(json!(1)))
    );

    let gone = ask(control, "DELETE", &listener(&endpoint), "");
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    let refused = client::try_connect(&network.client, (OWNED_V4, 4000)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    ping(&stream);
    assert_eq!(known("closing"), Some(json!(true)));
    ask(control, "DELETE", &listener(&endpoint), "").error(404);
    drop(stream);
    server.stop();
}

#[test]
fn a_listener_that_cannot_be_is_refused_with_the_reason() {
    let (network, server) = start("no-listener");
    let taken = network
        .server
        .run(|| std::net::TcpListener::bind((SHARED_V4, 4001)));
    let _taken = taken.unwrap().unwrap();
    let cases = [
        (
            400,
            json!({"endpoint": "192.0.2.99:7", "service": "echo"}),
            "not served",
        ),
        (
            400,
            json!({"endpoint": "[::]:7", "service": "echo"}),
            "not served",
        ),
        (
            400,
            json!({"endpoint": "10.77.0.2:4000", "service": "finger"}),
            "finger",
        ),
        (
            400,
            json!({"endpoint": "nowhere", "service": "echo"}),
            "syntax",
        ),
        (400, json!({"service": "echo"}), "endpoint"),
        (
            400,
            json!({"endpoint": "10.77.0.2:1", "service": "echo", "x": 1}),
            "x",
        ),
        (
            409,
            json!({"endpoint": format!("{SHARED_V4}:4001"), "service": "echo"}),
            "taken",
        ),
    ];
    for (status, body, wanted) in cases {
        let answer = ask(server.control(), "POST", "/v1/listeners", &body.to_string());
        let error = answer.error(status);
        assert!(error.contains(wanted), "{body}: {error}");
    }
    ask(server.control(), "POST", "/v1/listeners", "{").error(400);
    ask(server.control(), "DELETE", &listener("nowhere"), "").error(400);
    ask(server.control(), "DELETE", &listener("192.0.2.99:7"), "").error(404);
    let listeners = get(server.control(), "/v1/listeners").json();
    assert_eq!(listeners.as_array().unwrap().len(), ADDRESSES.len());
    server.stop();
}

#[test]
fn who_sends_too_much_or_too_slowly_is_told_and_holds_up_nobody() {
    let (network, server) = start("slow");
    let stream = client::connect(&network.client, (SHARED_V6, 7));
    let large = "x".repeat(17 * 1024);
    let error = ask(server.control(), "POST", "/v1/listeners", &large).error(413);
    assert!(error.contains("16384"), "{error}");

    // A body that does not come, heads that do not end, and one who does not read.
    let mut late = http::connect(server.control());
    let head = http::head("POST", "/v1/listeners", 10);
    late.write_all(head.as_bytes()).unwrap();
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut slow = http::connect(server.control());
            slow.write_all(b"GET /v1/stats HT").unwrap();
            slow
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(get(server.control(), "/v1/stats").status, 200);
        ping(&stream);
    }
    let error = http::answer(&late).error(408);
    assert!(error.contains("body"), "{error}");
    for mut slow in slow {
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).expect("the server hangs up");
    }
    ping(&stream);
    drop(stream);
    let stats = server.stop();
    assert_eq!(stats.stalls, 0);
}

#[test]
fn what_is_no_http_is_refused() {
    let (_network, server) = start("no-http");
    for nonsense in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = http::connect(server.control());
        stream.write_all(nonsense.as_bytes()).unwrap();
        assert_eq!(http::answer(&stream).status, 400, "{nonsense:?}");
    }
    assert_eq!(get(server.control(), "/v1/stats").status, 200);
    server.stop();
}

#[test]
fn a_user_without_rights_is_refused_though_the_file_lets_him_in() {
    const NOBODY: u32 = 65_534;
    let (_network, server) = start("user");
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(server.control(), open).unwrap();
    for (method, resource) in [
        ("GET", "/v1/stats"),
        ("DELETE", "/v1/listeners"),
        ("GET", "/"),
    ] {
        let error = thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
                // Of this thread alone.
                rustix::thread::set_thread_groups(&[]).unwrap();
                rustix::thread::set_thread_res_gid(group, group, group).unwrap();
                rustix::thread::set_thread_res_uid(user, user, user).unwrap();
                ask(server.control(), method, resource, "").error(403)
            });
            asking.join().unwrap()
        });
        assert!(error.contains("root"), "{error}");
    }
    assert_eq!(get(server.control(), "/v1/stats").status, 200);
    server.stop();
}

#[test]
fn the_highest_ranks_come_first() {
    let (network, server) = start("ranks");
    let streams: Vec<TcpStream> = (0..8)
        .map(|n| client::connect(&network.client, (ADDRESSES[n % 4], 7)))
        .collect();
    for (times, stream) in streams.iter().enumerate() {
        (0..=times).for_each(|_| ping(stream));
    }
    let top = |query: &str| -> Vec<u64> {
        let flows = get(server.control(), &format!("/v1/top?{query}")).json();
        let flows = flows.as_array().unwrap().iter();
        flows
            .map(|flow| flow["details"]["bytes_received"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(top("by=bytes&limit=3"), [40, 35, 30]);
    assert_eq!(top("").len(), streams.len());
    for query in ["by=fame", "limit=0", "limit=201"] {
        get(server.control(), &format!("/v1/top?{query}")).error(400);
    }
    drop(streams);
    server.stop();
}
