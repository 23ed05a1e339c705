//! Urgent text: RFC 9293 3.8.5, RFC 6093.

use super::Event;
use super::trace::{Trace, plain};

#[test]
fn urgent_text_is_told_and_delivered_in_line() {
    let mut trace = Trace::server(plain());
    trace.exchange("PU. 1+100 ack 1 urg 40", &[]);
    assert_eq!(trace.events(), [Event::Urgent]);
    trace.has_read(100);
    assert_eq!(trace.end.connection.urgent_left(), 0);
}

#[test]
fn the_application_can_ask_how_much_urgent_text_is_left() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    trace.peer("PU. 1+100 ack 1 urg 300");
    assert_eq!(trace.end.connection.urgent_left(), 300, "not all is here");
    trace.end.connection.consume(&mut trace.end.pool, 60);
    assert_eq!(trace.end.connection.urgent_left(), 240);
    trace.end.reads = true;
    trace.peer("P. 101+300 ack 1");
    assert_eq!(trace.end.connection.urgent_left(), 0);
}

#[test]
fn the_application_is_told_again_when_the_pointer_advances_and_only_then() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    trace.peer("PU. 1+100 ack 1 urg 200");
    trace.peer("PU. 101+10 ack 1 urg 100");
    assert_eq!(trace.events(), [Event::Urgent], "the same place");
    trace.peer("PU. 111+10 ack 1 urg 5");
    assert_eq!(trace.events(), [], "an earlier one");
    trace.peer("PU. 121+10 ack 1 urg 100");
    assert_eq!(trace.events(), [Event::Urgent]);
}

#[test]
fn a_pointer_to_nothing_new_says_nothing() {
    let mut trace = Trace::server(plain());
    trace.peer("PU. 1+100 ack 1 urg 0");
    trace.peer("P. 101+100 ack 1 urg 50");
    assert_eq!(trace.events(), [], "no text before it, or no URG");
}

#[test]
fn an_urgent_pointer_counts_though_the_window_is_closed() {
    let mut trace = Trace::server(crate::config::Config {
        receive_buffer: 2_048,
        ..plain()
    });
    trace.end.reads = false;
    trace.peer("P. 1+1000 ack 1");
    trace.peer("P. 1001+1000 ack 1");
    trace.peer("P. 2001+48 ack 1");
    trace.sent();
    trace.exchange("U. 2049+1 ack 1 urg 500", &[". 1+0 ack 2049"]);
    assert_eq!(trace.events(), [Event::Urgent]);
    assert_eq!(trace.end.connection.urgent_left(), 2_548);
}

#[test]
fn a_pointer_beyond_the_fin_ends_at_the_fin() {
    let mut trace = Trace::server(plain());
    trace.end.reads = false;
    trace.peer("F. 11+0 ack 1");
    trace.peer("PU. 1+10 ack 1 urg 60000");
    assert_eq!(trace.end.connection.urgent_left(), 10);
}

#[test]
fn our_pointer_is_the_number_after_the_urgent_text() {
    let mut trace = Trace::server(plain());
    trace.send(100);
    trace.expect(&["P. 1+100 ack 1"]);
    trace.peer(". 1+0 ack 101");
    trace.send_urgent(50);
    trace.expect(&["PU. 101+50 ack 1 urg 50"]);
    trace.exchange(". 1+0 ack 151", &[]);
    trace.send(10);
    trace.expect(&["P. 151+10 ack 1"]);
}

#[test]
fn urgent_text_of_any_length_is_marked_up_to_its_end() {
    let mut trace = Trace::server(plain());
    trace.send_urgent(2_500);
    trace.expect(&["U. 1+1000 ack 1 urg 2500", "U. 1001+1000 ack 1 urg 1500"]);
    trace.exchange(". 1+0 ack 2001", &["PU. 2001+500 ack 1 urg 500"]);
}

#[test]
fn a_pointer_farther_than_sixteen_bits_says_the_most_it_can() {
    let mut trace = Trace::server(plain());
    trace.send_urgent(70_000);
    let first = trace.sent().remove(0);
    assert_eq!(first, "U. 1+1000 ack 1 urg 65535");
}

#[test]
fn a_closed_window_does_not_keep_the_pointer_from_the_peer() {
    let mut trace = Trace::server(plain());
    trace.peer(". 1+0 ack 1 win 0");
    trace.send_urgent(10);
    trace.expect(&["U. 1+0 ack 1 urg 10"]);
}
