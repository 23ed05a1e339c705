//! How much may be sent in recovery: proportional rate reduction, RFC 9937.

/// The state of PRR, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prr {
    /// RecoverFS: what was in flight when recovery began, and not reported before.
    recover_fs: u32,
    /// prr_delivered.
    delivered: u32,
    /// prr_out.
    out: u32,
    /// What may be in flight now.
    window: u32,
}

impl Prr {
    /// Recovery begins with `recover_fs` bytes in flight, `in_flight` of them not known lost.
    pub(super) fn begin(recover_fs: u32, in_flight: u32, smss: u32) -> Self {
        // RFC 9937 6: the fast retransmit itself always goes.
        let window = in_flight.saturating_add(smss);
        Self {
            recover_fs: recover_fs.max(1),
            delivered: 0,
            out: 0,
            window,
        }
    }

    /// An ACK delivered `delivered` bytes; `safe` when it advances SND.UNA and shows no new loss.
    pub(super) fn on_ack(&mut self, ack: &PrrAck) {
        let &PrrAck {
            delivered,
            in_flight,
            ssthresh,
            smss,
            safe,
        } = ack;
        self.delivered = self.delivered.saturating_add(delivered);
        let send = if in_flight > ssthresh {
            let share = u64::from(self.delivered) * u64::from(ssthresh);
            let share = share.div_ceil(u64::from(self.recover_fs));
            u32::try_from(share)
                .unwrap_or(u32::MAX)
                .saturating_sub(self.out)
        } else {
            let owed = self.delivered.saturating_sub(self.out).max(delivered);
            let limit = if safe {
                owed.saturating_add(smss)
            } else {
                owed
            };
            ssthresh.saturating_sub(in_flight).min(limit)
        };
        // The first retransmission goes in any case.
        let send = if self.out == 0 { send.max(smss) } else { send };
        self.window = in_flight.saturating_add(send);
    }

    /// `bytes` were sent.
    pub(super) fn on_sent(&mut self, bytes: u32) {
        self.out = self.out.saturating_add(bytes);
    }

    /// What may be in flight now, in bytes.
    pub(super) const fn window(&self) -> u32 {
        self.window
    }
}

/// What PRR looks at on an ACK, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PrrAck {
    pub(crate) delivered: u32,
    pub(crate) in_flight: u32,
    pub(crate) ssthresh: u32,
    pub(crate) smss: u32,
    pub(crate) safe: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMSS: u32 = 1_000;

    #[test]
    fn half_the_acks_send_until_half_is_in_flight() {
        let mut prr = Prr::begin(20 * SMSS, 19 * SMSS, SMSS);
        let (mut in_flight, ssthresh) = (19 * SMSS, 10 * SMSS);
        let mut sent = 0;
        for _ in 0..18 {
            in_flight -= SMSS;
            let ack = PrrAck {
                delivered: SMSS,
                in_flight,
                ssthresh,
                smss: SMSS,
                safe: false,
            };
            prr.on_ack(&ack);
            while in_flight + SMSS <= prr.window() {
                prr.on_sent(SMSS);
                (in_flight, sent) = (in_flight + SMSS, sent + 1);
            }
        }
        assert_eq!((sent, in_flight), (9, 10 * SMSS));
    }

    #[test]
    fn the_first_retransmission_goes_at_once() {
        let mut prr = Prr::begin(10 * SMSS, 9 * SMSS, SMSS);
        assert_eq!(prr.window(), 10 * SMSS);
        let ack = PrrAck {
            delivered: 0,
            in_flight: 9 * SMSS,
            ssthresh: SMSS,
            smss: SMSS,
            safe: false,
        };
        prr.on_ack(&ack);
        assert_eq!(prr.window(), 10 * SMSS);
    }

    /// Below ssthresh, after three of ten segments were lost and the first sent again.
    fn below_ssthresh() -> (Prr, PrrAck) {
        let mut prr = Prr::begin(10 * SMSS, 2 * SMSS, SMSS);
        prr.on_sent(SMSS);
        let ack = PrrAck {
            delivered: 2 * SMSS,
            in_flight: SMSS,
            ssthresh: 5 * SMSS,
            smss: SMSS,
            safe: false,
        };
        (prr, ack)
    }

    #[test]
    fn below_ssthresh_as_much_goes_as_has_arrived() {
        let (mut prr, ack) = below_ssthresh();
        prr.on_ack(&ack);
        assert_eq!(prr.window(), ack.in_flight + ack.delivered);
    }

    #[test]
    fn below_ssthresh_a_safe_ack_lets_one_segment_more_go() {
        let (mut prr, ack) = below_ssthresh();
        prr.on_ack(&PrrAck { safe: true, ..ack });
        assert_eq!(prr.window(), ack.in_flight + ack.delivered + SMSS);
    }

    #[test]
    fn what_could_not_go_earlier_goes_later_but_not_beyond_ssthresh() {
        let (mut prr, ack) = below_ssthresh();
        prr.on_ack(&ack);
        // Nothing was there to send; what arrived before still is owed, less what went.
        let later = PrrAck {
            delivered: SMSS,
            in_flight: 0,
            ..ack
        };
        prr.on_ack(&later);
        assert_eq!(prr.window(), 2 * SMSS);
        let ssthresh = SMSS;
        prr.on_ack(&PrrAck { ssthresh, ..later });
        assert_eq!(prr.window(), ssthresh);
    }
}
