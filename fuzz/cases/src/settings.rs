//! Settings of connections, as few bytes say them.

use arbitrary::Arbitrary;
use wirepath_tcp::config::{Config, CongestionControl, EcnMode, KeepAlive, SynCookies};
use wirepath_tcp::time::Millis;

/// What a connection may be told.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Settings {
    /// Bits of what is on or off.
    switches: u16,
    congestion: u8,
    send_buffer: u8,
    receive_buffer: u8,
    delayed_ack: u8,
    initial_window: u8,
}

impl Settings {
    const BUFFERS: [u32; 6] = [2_048, 4_096, 10_000, 65_535, 100_000, 400_000];

    fn has(self, switch: u16) -> bool {
        self.switches >> switch & 1 == 1
    }

    /// The settings themselves. A switch that is off leaves the default.
    pub(crate) fn config(self) -> Config {
        let buffer = |choice: u8| Self::BUFFERS[usize::from(choice) % Self::BUFFERS.len()];
        let keep_alive = KeepAlive {
            idle: Millis::from_secs(60),
            interval: Millis::from_secs(5),
            probes: 9,
        };
        let controls = CongestionControl::ALL;
        Config {
            send_buffer: buffer(self.send_buffer),
            receive_buffer: buffer(self.receive_buffer),
            delayed_ack: Millis(u32::from(self.delayed_ack) * 2),
            initial_window: self.initial_window,
            quick_acks: if self.has(0) { 0 } else { 16 },
            congestion: controls[usize::from(self.congestion) % controls.len()],
            timestamps: !self.has(1),
            sack: !self.has(2),
            window_scaling: !self.has(3),
            nagle: !self.has(4),
            cork: self.has(5),
            keep_alive: self.has(6).then_some(keep_alive),
            ecn: match (self.has(7), self.has(8)) {
                (true, _) => EcnMode::Active,
                (_, true) => EcnMode::Off,
                _ => EcnMode::Passive,
            },
            path_probing: self.has(9),
            user_timeout_option: self.has(10),
            stall_timeout: self.has(11).then_some(Millis::from_secs(30)),
            max_segment: self.has(12).then_some(100),
            syn_cookies: match (self.has(13), self.has(14)) {
                (true, _) => SynCookies::Always,
                (_, true) => SynCookies::Off,
                _ => SynCookies::WhenFull,
            },
            min_rto: if self.has(15) {
                Millis(10)
            } else {
                Millis(200)
            },
            ..Config::default()
        }
    }
}
