//! Every counter of a worker, its name and what it means.

use wirepath_tcp::connection::DropReason;
use wirepath_tcp::state::State;

/// Defines the counters once: field, and the help text that is also its documentation.
macro_rules! counters {
    ($($name:ident: $help:literal,)*) => {
        /// Plain counts of one worker, since it started.
        #[derive(Debug, Clone, Default)]
        pub struct Counters {
            $(#[doc = $help] pub $name: u64,)*
            /// Frames refused while reading them, by `wirepath_wire::Error::index`.
            pub malformed: [u64; wirepath_wire::Error::ALL.len()],
            /// Segments refused by their connection, by `DropReason as usize`.
            pub refused: [u64; DropReason::ALL.len()],
            /// Connections that entered each state, by `State as usize`.
            pub entered: [u64; State::ALL.len()],
        }

        impl Counters {
            /// Name, help and value of each counter but the tables.
            #[must_use]
            pub fn table(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $help, self.$name),)*]
            }

            /// Adds the counts of another worker.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
                let pairs = [
                    (&mut self.malformed[..], &other.malformed[..]),
                    (&mut self.refused[..], &other.refused[..]),
                    (&mut self.entered[..], &other.entered[..]),
                ];
                for (mine, others) in pairs {
                    mine.iter_mut().zip(others).for_each(|(mine, other)| *mine += other);
                }
            }
        }
    };
}

counters! {
    turns: "Turns of the worker",
    frames_in: "Frames received",
    frames_out: "Frames sent",
    bytes_in: "Bytes received, link headers included",
    bytes_out: "Bytes sent, link headers included",
    segments_in: "TCP segments received with a good checksum",
    segments_out: "TCP segments sent",
    text_in: "Bytes of text delivered to applications",
    text_out: "Bytes of text that peers have acknowledged",
    retransmissions: "TCP segments sent again",
    opened: "Connections established",
    closed: "Connections ended, for whatever reason",
    rested: "Times that a connection came to rest, and took less room",
    rest_settings_full: "Times that one did not, as those at rest have too many kinds of settings",
    resets_in: "Connections ended by a reset of the peer",
    resets_out: "Resets sent",
    timed_out: "Connections ended because the peer did not answer",
    half_open_expired: "Handshakes that the peer never finished",
    arp_replies: "ARP requests answered",
    neighbor_advertisements: "Neighbor solicitations answered",
    echo_replies: "ICMP echo requests answered",
    stalled: "Connections reset because the peer kept its window closed while memory was scarce",
    icmp_errors: "ICMP errors about a segment of ours",
    icmp_ignored: "ICMP errors that quote nothing in flight, and Source Quench",
    handed_over: "Frames of another worker's connections, handed over to it",
    taken_over: "Frames that other workers have handed over",
    directory_full: "Connections that other workers cannot find, as their directory has no room",
    drop_hand_over_full: "Frames of another worker's connections that it had no room for",
    drop_pass_on_limit: "Answers of neighbors that were too many to be passed on to other workers",
    drop_claimed: "SYNs that another worker was just accepting",
    drop_too_long: "Frames longer than the MTU and the link headers allow",
    drop_not_ours: "Frames for an address or protocol that is not ours",
    drop_bad_source: "Segments from an address that names no single host, or is our own",
    syn_cookies_sent: "SYNs answered without keeping an entry",
    syn_cookies_accepted: "Connections opened by a cookie that came back",
    syn_cookies_refused: "Segments of no connection without a good cookie, while some were out",
    fast_opens: "Connections opened by a SYN with a good cookie",
    fast_open_full: "SYNs with a good cookie that waited for the handshake, as too many were early",
    drop_half_open_full: "SYNs refused because too many handshakes were unfinished",
    drop_connections_full: "SYNs refused because too many connections were open",
    drop_no_syn: "Segments to a listener that have neither SYN, ACK nor RST",
    drop_reset_limit: "Resets not sent because too many were",
    drop_no_frame: "Replies not sent because no frame was free",
    drop_time_wait_full: "Connections that skipped TIME-WAIT because too many were in it",
    illegal_options: "Segments with an option of illegal length",
    partial_checksums: "Segments whose checksum was left to an offload, and taken",
    transmit_full: "Times that the transmit ring had no room",
    ledger_errors: "Times that the frames of a device did not add up",
    invariant_errors: "Times that a connection contradicted itself",
}

impl Counters {
    /// Name and count of each reason for which a frame or segment was dropped.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let malformed = wirepath_wire::Error::ALL.iter().zip(self.malformed);
        let refused = DropReason::ALL.iter().zip(self.refused);
        let named = self
            .table()
            .into_iter()
            .map(|(name, _, count)| (name, count));
        named
            .filter_map(|(name, count)| Some((name.strip_prefix("drop_")?, count)))
            .chain(malformed.map(|(error, count)| (error.name(), count)))
            .chain(refused.map(|(reason, count)| (reason.name(), count)))
    }
}
