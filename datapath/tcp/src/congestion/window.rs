//! What all algorithms have in common: cwnd, ssthresh and slow start (RFC 5681 3.1).

/// Initial window in segments: RFC 6928 2.
const INITIAL_SEGMENTS: u8 = 10;
/// Initial window in bytes, unless two segments are larger: RFC 6928 2.
const INITIAL_BYTES: u32 = 14_600;
/// Far above any buffer, so that cwnd cannot overflow.
const CWND_MAX: u32 = 1 << 30;

/// The congestion window, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) smss: u32,
    pub(super) cwnd: u32,
    pub(super) ssthresh: u32,
    /// Segments of the initial window.
    initial: u8,
    /// cwnd and ssthresh before the last reduction.
    before: (u32, u32),
}

impl Window {
    pub(super) fn new(smss: u32, initial: u8) -> Self {
        Self {
            smss,
            cwnd: initial_window(smss, initial),
            ssthresh: u32::MAX,
            initial,
            before: (0, 0),
        }
    }

    /// The initial window in bytes.
    pub(super) fn initial(&self) -> u32 {
        initial_window(self.smss, self.initial)
    }

    pub(super) const fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    pub(super) fn grow(&mut self, bytes: u32) {
        self.cwnd = self.cwnd.saturating_add(bytes).min(CWND_MAX);
    }

    /// RFC 5681 3.1 equation (4), with the share of `flight_size` that the algorithm keeps.
    pub(super) fn reduce(&mut self, kept: u32) {
        self.before = (self.cwnd, self.ssthresh);
        self.ssthresh = kept.max(2 * self.smss);
        self.cwnd = self.ssthresh;
    }

    /// The last reduction was for nothing.
    pub(super) fn undo(&mut self) {
        let (cwnd, ssthresh) = self.before;
        self.cwnd = self.cwnd.max(cwnd);
        self.ssthresh = self.ssthresh.max(ssthresh);
    }

    /// RFC 5681 3.1: the loss window is one full segment.
    pub(super) fn collapse(&mut self) {
        self.cwnd = self.smss;
    }

    /// A fast recovery is over: ssthresh, but no more than `limit` bytes.
    pub(super) fn settle(&mut self, limit: u32) {
        self.cwnd = self.ssthresh.min(limit).max(self.smss);
    }

    /// RFC 5681 3.1, 4.1: one segment after a lost SYN, the initial window after an idle time.
    pub(super) fn restart(&mut self, lost_syn: bool) {
        let window = if lost_syn { self.smss } else { self.initial() };
        self.cwnd = self.cwnd.min(window);
    }
}

fn initial_window(smss: u32, segments: u8) -> u32 {
    let window = u32::from(segments.max(1)) * smss;
    if segments == INITIAL_SEGMENTS {
        window.min(INITIAL_BYTES.max(2 * smss))
    } else {
        window
    }
}
