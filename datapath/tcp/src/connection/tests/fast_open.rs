//! Text on a SYN: RFC 7413.

use super::pair::{End, PATH};
use super::trace::{IRS, ISS, line, parse, plain};
use crate::buffer::BlockPool;
use crate::config::Config;
use crate::connection::Connection;
use crate::half_open::HalfOpen;
use crate::time::Instant;

#[test]
fn the_window_that_a_fast_open_promises_is_kept() {
    let now = Instant::from_millis(1_000);
    let config = Config {
        receive_buffer: 4_096,
        fast_open: true,
        ..plain()
    };
    let syn = parse("S 0+1000 win 60000 mss 1000", 60_000);
    let half_open = HalfOpen::new(now, &syn.header, &config, ISS, 0);
    let (mut pool, done) = (BlockPool::new(384), half_open.handshake());
    let (connection, received) =
        Connection::accept_early(now, (config, PATH), &done, &syn.segment(), &mut pool);
    let text = received.text.to_vec();
    let mut end = End {
        pool,
        ..End::new(connection)
    };
    end.connection.settle(&mut end.pool, &text, text.len());
    let syn_ack = end.poll(now).expect("a SYN-ACK").header;
    assert_eq!(syn_ack.ack.distance_from(IRS), 1_001);
    assert_eq!(syn_ack.window.0, 3_096, "text on the SYN is in the buffer");
    for segment in [
        ". 1001+1000 ack 1",
        ". 2001+1000 ack 1",
        ". 3001+1096 ack 1",
    ] {
        end.on(now, &parse(segment, 60_000));
    }
    let ack = end.poll(now).expect("an ACK");
    assert_eq!(line(&ack.header, 0), ". 1+0 ack 4097");
}
