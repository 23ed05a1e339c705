//! Settings that change while a connection is open.

use super::Connection;
use crate::config::Config;
use crate::time::Instant;
use crate::timers::Timer;

impl Connection {
    /// Its settings, every value inside its range.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Changes its settings: Nagle (MUST-17), keep-alive (MUST-24, MUST-27), user timeout
    /// (MUST-21), DSCP (MUST-48, SHLD-21), and the rest. What the handshake has agreed upon stays:
    /// timestamps, SACK, ECN, the window scale, and so the largest receive buffer.
    pub fn configure(&mut self, now: Instant, change: impl FnOnce(&mut Config)) {
        let before = self.config;
        change(&mut self.config);
        self.config = self.config.clamped();
        if self.config.congestion != before.congestion {
            self.congestion.switch(&self.config, self.negotiated.sack);
        }
        if self.config.keep_alive != before.keep_alive && self.state.is_synchronized() {
            self.arm_keep_alive(now);
        }
        if self.snd.wnd > 0 && self.timers.is_armed(Timer::Persist) {
            // What was too small to send may now go; what went all the same must arrive.
            self.timers.disarm(Timer::Persist);
            if self.snd.una != self.snd.nxt {
                self.arm_retransmit(now);
            }
        }
        if self.config.quick_acks != before.quick_acks {
            self.rcv.quick_acks = self.config.quick_acks;
        }
        self.rcv
            .set_most(self.config.receive_buffer, self.negotiated.rcv_scale);
    }

    /// Waits for silence from now on, or no longer (MUST-25).
    pub(super) fn arm_keep_alive(&mut self, now: Instant) {
        self.liveness.probes = 0;
        match self.config.keep_alive {
            Some(keep_alive) => self.timers.arm(Timer::KeepAlive, now + keep_alive.idle),
            None => self.timers.disarm(Timer::KeepAlive),
        }
    }
}
