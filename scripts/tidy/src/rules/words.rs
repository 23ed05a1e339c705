//! One name per thing: the RFC's.

use crate::scan::each_ident;
use crate::{Finding, Kind, Tree};

/// Names of variables that have one in the RFCs, and that one (`snd_nxt` where it stands alone).
const NAMES: &[(&[&str], &str)] = &[
    (
        &["send_una", "unacked", "send_unacked", "last_acked"],
        "snd.una",
    ),
    (&["send_next", "next_send_seq", "next_seq"], "snd.nxt"),
    (
        &["send_window", "remote_win", "remote_window", "peer_window"],
        "snd.wnd",
    ),
    (&["recv_next", "receive_next", "next_expected"], "rcv.nxt"),
    (
        &["recv_window", "receive_window", "local_window"],
        "rcv.wnd",
    ),
    (
        &["initial_send_seq", "initial_send_sequence", "local_isn"],
        "iss",
    ),
    (
        &["initial_recv_seq", "initial_receive_sequence", "remote_isn"],
        "irs",
    ),
    (&["sender_mss", "send_mss"], "smss"),
    (&["congestion_window", "cong_window"], "cwnd"),
    (&["slow_start_threshold", "ss_thresh"], "ssthresh"),
    (&["bytes_in_flight", "inflight_bytes"], "flight_size"),
    (&["smoothed_rtt", "rtt_smoothed"], "srtt"),
    (&["rtt_var", "rtt_variance", "mdev"], "rttvar"),
    (&["retransmission_timeout", "retransmit_timeout"], "rto"),
];

const SEGMENT: &str = "segment: TCP has segments, IP packets, the link frames";
const PACKET: &str = "packet: TCP has segments, IP packets, the link frames";
const FRAME: &str = "frame: TCP has segments, IP packets, the link frames";

/// Words that must not stand in code or prose, and what to say instead. Written in halves, so
/// that this table does not break its own rule.
const PHRASES: &[([&str; 2], &str)] = &[
    (["rfc ", "793"], "RFC 9293, which replaced it"),
    (["rfc", "793"], "RFC 9293, which replaced it"),
    (["rfc ", "2581"], "RFC 5681, which replaced it"),
    (["rfc ", "1323"], "RFC 7323, which replaced it"),
    (["tcp ", "packet"], SEGMENT),
    (["tcp ", "frame"], SEGMENT),
    (["ip ", "segment"], PACKET),
    (["ethernet ", "packet"], FRAME),
    (["ack ", "packet"], SEGMENT),
    (["syn ", "packet"], SEGMENT),
];

/// A variable of the RFCs bears the RFC's name.
pub(super) fn names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::Rust) {
        each_ident(&file.tokens(), |ident| {
            let name = ident.to_string();
            if let Some((_, rfc)) = NAMES.iter().find(|(bad, _)| bad.contains(&name.as_str())) {
                let message = format!("{name} has a name in the RFCs: {rfc}");
                findings.push(Finding::new(&file.path, ident.span().start().line, message));
            }
        });
    }
    findings
}

/// Superseded RFCs are not cited, and segment, packet and frame are not mixed.
pub(super) fn phrases(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (line, text) in file.lines() {
            let text = text.to_lowercase();
            for (halves, instead) in PHRASES {
                let phrase = halves.concat();
                if contains_phrase(&text, &phrase) {
                    let message = format!("instead of \"{phrase}\" say {instead}");
                    findings.push(Finding::new(&file.path, line, message));
                }
            }
        }
    }
    findings
}

/// Whether `text` has `phrase` with no letter or digit touching it but a plural's.
fn contains_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + phrase.len()..].chars().peekable();
        after.next_if_eq(&'s');
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !word(before) && !word(after.next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ones_own_is_found_in_code_only() {
        let text = "// cong_window\nstruct S { send_next: u32, snd_nxt: u32 }\n";
        let findings = names(&Tree::of(&[("a.rs", text)]));
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].to_string(),
            "a.rs:2: send_next has a name in the RFCs: snd.nxt"
        );
    }

    #[test]
    fn every_phrase_bites() {
        for (halves, _) in PHRASES {
            let text = format!("\nsee {}.\n", halves.concat().to_uppercase());
            let findings = phrases(&Tree::of(&[("docs/a.md", &text)]));
            assert_eq!(findings.len(), 1, "{text}");
            assert_eq!(findings[0].line, 2);
        }
    }

    #[test]
    fn plurals_count_and_longer_words_do_not() {
        assert!(contains_phrase("two ab cds", "ab cd"));
        assert!(!contains_phrase("cab cd", "ab cd"));
        assert!(!contains_phrase("ab cd0", "ab cd"));
    }
}
