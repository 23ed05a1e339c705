//! `wirepath-bench latency`, `throughput`, `connect`, `idle`, `reflect`, `compare` and `stack`, run
//! as people run them, for a second each. How fast anything was is not judged here: others may use
//! the machine.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use wirepath::netns::{Link, Network};

const BENCH: &str = env!("CARGO_BIN_EXE_wirepath-bench");
const SHORT: &str = "--seconds 1 --warm-up 0";
const ALL: &str = "wirepath,epoll,epoll-spin,uring,uring-spin,smoltcp";

fn bench(arguments: &str) -> Output {
    let mut command = Command::new(BENCH);
    command.args(arguments.split_whitespace());
    command.output().expect("the program starts")
}

fn text(arguments: &str) -> String {
    let output = bench(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

fn rows(arguments: &str) -> Vec<Value> {
    let report: Value = serde_json::from_str(&text(&format!("{arguments} --json"))).expect("JSON");
    report["rows"].as_array().expect("rows").clone()
}

fn number(row: &Value, name: &str) -> f64 {
    let value = row.pointer(name).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("no number at {name} in {row:#}"))
}

#[test]
fn every_contender_sends_every_message_back_to_both_clients() {
    // The client compares every byte, so a run that ends well got the right ones.
    for client in ["xdp", "kernel"] {
        let rows = rows(&format!("latency {SHORT} --server {ALL} --client {client}"));
        assert_eq!(rows.len(), ALL.split(',').count());
        for row in rows {
            assert!(number(&row, "/per_second") > 0.0, "{row:#}");
            let latency = |place| number(&row, &format!("/latency_us/{place}"));
            let ordered = (0..5).all(|place| latency(place) <= latency(place + 1));
            assert!(latency(0) > 0.0 && ordered, "{row:#}");
        }
    }
}

#[test]
fn text_without_end_goes_both_ways_and_short_connections_follow_each_other() {
    for bulk in ["up", "down"] {
        for row in rows(&format!("throughput --bulk {bulk} {SHORT} --server {ALL}")) {
            assert!(number(&row, "/mbit_per_second") > 0.0, "{row:#}");
        }
    }
    for row in rows(&format!("connect {SHORT} --server wirepath,epoll,uring")) {
        assert!(number(&row, "/per_second") > 0.0, "{row:#}");
    }
}

#[test]
fn messages_of_all_sizes_go_on_connections_that_come_and_go() {
    for row in rows(&format!("mix --size 20000 {SHORT} --server wirepath,epoll")) {
        let bytes = 125_000.0 * number(&row, "/mbit_per_second") / number(&row, "/per_second");
        // The mean of sizes that are spread evenly over their logarithms: 19,984 / ln(1,250).
        assert!((2_200.0..3_400.0).contains(&bytes), "{bytes}: {row:#}");
    }
}

#[test]
fn a_grid_has_each_with_each_in_a_table_a_file_and_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let [csv, html] = ["grid.csv", "grid.html"].map(|name| folder.path().join(name));
    let files = format!("--csv {} --html {}", csv.display(), html.display());
    let grid = format!("--connections 1,8 --size 64,2000 --depth 1,4 {SHORT} {files}");
    let table = text(&format!("throughput {grid}"));
    assert!(
        table.contains("p99.9 us") && table.contains("cpus"),
        "{table}"
    );
    let csv = std::fs::read_to_string(csv).expect("the file");
    assert_eq!(csv.lines().count(), 1 + 2 * 2 * 2, "{csv}");
    let html = std::fs::read_to_string(html).expect("the page");
    assert!(
        html.contains("<svg") && html.contains("Scaling with connections"),
        "{html}"
    );
    assert!(
        !html.contains("http://")
            || html.matches("http://").count()
                == html.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn an_open_loop_asks_as_often_as_it_was_told() {
    for arrivals in ["constant", "poisson"] {
        let asked = format!("latency --rate 1000 --arrivals {arrivals} --connections 4");
        let rows = rows(&format!("{asked} --seconds 2 --warm-up 0"));
        let rate = number(&rows[0], "/per_second");
        assert!((850.0..1_150.0).contains(&rate), "{rate}");
    }
}

#[test]
fn threads_of_a_client_share_the_load_and_their_figures_are_added() {
    let load = "--client kernel --client-threads 2 --connections 5 --rate 1000";
    let rows = rows(&format!("latency {load} --seconds 2 --warm-up 0"));
    let rate = number(&rows[0], "/per_second");
    assert!((850.0..1_150.0).contains(&rate), "{rate}");
}

#[test]
fn idle_connections_are_held_and_weighed() {
    let many = rows("idle --idle 100000 --active 8 --seconds 1");
    let bytes = number(&many[0], "/bytes_each");
    assert!((300.0..3_000.0).contains(&bytes), "{bytes}");
    for row in rows("idle --idle 500 --active 8 --seconds 1 --server wirepath,epoll") {
        assert!(number(&row, "/per_second") > 0.0, "{row:#}");
        assert!(row["bytes_each"].is_null(), "few tell nothing: {row:#}");
    }
}

#[test]
fn frames_come_back_on_every_queue() {
    let table = text("reflect --queue 0-1 --in-flight 1,8 --seconds 1 --warm-up 0");
    let lines = table.lines().skip_while(|line| !line.contains("in flight"));
    assert_eq!(lines.count(), 1 + 2 * 2, "{table}");
}

#[test]
fn two_machines_reflect_over_their_cards() {
    let link = Link {
        queues: 2,
        ..Link::default()
    };
    let network = Network::direct("cards", &link).expect("a network");
    let [ours, theirs] = ["10.77.0.8", "10.77.0.9"];
    let server = [
        "reflect",
        "-i",
        Network::SERVER_INTERFACE,
        "--serve",
        "--queue",
        "all",
    ];
    let mut server = network
        .server
        .command(BENCH)
        .args(server)
        .args(["--address", theirs])
        .spawn();
    let server = server.as_mut().expect("the reflector starts");
    let mac = "02:77:00:00:00:02";
    let client = ["reflect", "-i", Network::CLIENT_INTERFACE, "--queue", "0-1"];
    let measured = || {
        let mut command = network.client.command(BENCH);
        command
            .args(client)
            .args(["--address", ours, "--to", theirs, "--to-mac", mac]);
        command.args(["--in-flight", "4", "--seconds", "1", "--warm-up", "0"]);
        command.output().expect("the pinger starts")
    };
    // The reflector may still be starting.
    let deadline = Instant::now() + Duration::from_secs(20);
    let output = loop {
        let output = measured();
        if output.status.success() || Instant::now() > deadline {
            break output;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(table.lines().count(), 1 + 2, "{table}");
    server.kill().expect("it runs");
    server.wait().expect("it can be waited for");
}

#[test]
fn a_comparison_of_one_pair_says_that_it_shows_nothing() {
    let table = text("compare ping echo --pairs 1 --seconds 1 --against reflector,epoll");
    assert_eq!(table.matches("too few runs").count(), 4, "{table}");
}

#[test]
fn bulk_is_shown_beside_the_kernel_with_its_offloads_without_a_goal() {
    let table = text("compare down-jumbo --pairs 1 --seconds 1");
    let offloads = table.lines().find(|line| line.contains("kernel-offloads"));
    let offloads = offloads.unwrap_or_else(|| panic!("no row in {table}"));
    assert!(!offloads.contains(">="), "{offloads}");
    assert!(table.contains(">= 1.20"), "{table}");
}

#[test]
fn the_stack_alone_needs_no_rights() {
    let table = text("stack --connections 1,64");
    for work in [
        "echo",
        "text in",
        "text out",
        "open and close",
        "timer",
        "rest, and",
    ] {
        assert!(table.contains(work), "no {work} in {table}");
    }
}

#[test]
fn wrong_arguments_are_refused_with_exit_code_2() {
    for arguments in [
        "latency --size 0",
        "throughput --server apache",
        "connect --rate soon",
        "compare nothing",
        "reflect --queue 3-1",
        "reflect --interface nosuch0 --address 192.0.2.1 --serve",
        "compare connect --against smoltcp",
        "compare echo --against kernel-offloads",
        "latency --mtu 576",
        "mix --depth 2",
        "mix --least 100 --size 64",
        "throughput --bulk up --rate 100",
        "connect --think 5",
        "latency --rate 100 --depth 2",
        "latency --client-threads 2",
        "idle --idle 9000000",
    ] {
        let output = bench(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
    }
}
