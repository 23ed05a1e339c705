use super::*;

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const FIN_ACK: u8 = 0x11;

/// A frame with a TCP header as far as filters look.
struct Sample {
    vlan: Option<u16>,
    from: (&'static str, u16),
    to: (&'static str, u16),
    protocol: u8,
    flags: u8,
    extra: usize,
}

const SAMPLE: Sample = Sample {
    vlan: None,
    from: ("192.0.2.1", 40_000),
    to: ("198.51.100.7", 80),
    protocol: 6,
    flags: SYN,
    extra: 0,
};

impl Sample {
    fn frame(&self) -> Vec<u8> {
        let (source, destination): (IpAddr, IpAddr) =
            (self.from.0.parse().unwrap(), self.to.0.parse().unwrap());
        let mut frame = vec![2; 12];
        if let Some(vlan) = self.vlan {
            frame.extend([0x81, 0x00]);
            frame.extend((0xE000 | vlan).to_be_bytes());
        }
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend([0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64]);
                frame.extend([self.protocol, 0, 0]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend([0x86, 0xDD, 0x60, 0, 0, 0, 0, 20, self.protocol, 64]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            _ => panic!("one family"),
        }
        frame.extend(self.from.1.to_be_bytes());
        frame.extend(self.to.1.to_be_bytes());
        frame.extend([0; 8]);
        frame.extend([0x50, self.flags, 0, 0, 0, 0, 0, 0]);
        frame.resize(frame.len() + self.extra, 0);
        frame
    }
}

fn takes(filter: &str, sample: &Sample) -> bool {
    let filter: Filter = filter.parse().unwrap_or_else(|error| panic!("{error}"));
    filter.takes(Direction::In, &sample.frame())
}

/// Each filter takes the sample, and its negation does not; with `false` the other way round.
#[track_caller]
fn check(sample: &Sample, expected: &[(&str, bool)]) {
    for &(filter, taken) in expected {
        assert_eq!(takes(filter, sample), taken, "{filter}");
        let negated = format!("not ({filter})");
        assert_eq!(takes(&negated, sample), !taken, "{negated}");
    }
}

#[test]
fn no_words_take_all() {
    assert!(takes("", &SAMPLE));
    assert!("".parse::<Filter>().unwrap().takes(Direction::In, b"x"));
}

#[test]
fn hosts_nets_and_ports() {
    check(
        &SAMPLE,
        &[
            ("host 192.0.2.1", true),
            ("192.0.2.1", true),
            ("host 192.0.2.2", false),
            ("src host 192.0.2.1", true),
            ("dst 192.0.2.1", false),
            ("net 198.51.100.0/24", true),
            ("src net 198.51.100.0/24", false),
            ("net 0.0.0.0/0", true),
            ("net ::/0", false),
            ("port 80", true),
            ("src port 80", false),
            ("tcp dst port 80", true),
            ("udp port 80", false),
            ("portrange 79-81", true),
            ("tcp portrange 1-79", false),
        ],
    );
}

#[test]
fn both_families_and_vlan_tags() {
    let six = Sample {
        vlan: Some(5),
        from: ("2001:db8::1", 1),
        to: ("2001:db8:1::2", 443),
        ..SAMPLE
    };
    check(
        &six,
        &[
            ("ip6", true),
            ("ip", false),
            ("arp", false),
            ("vlan", true),
            ("vlan 5", true),
            ("vlan 6", false),
            ("host 2001:db8:1::2", true),
            ("src net 2001:db8::/48", true),
            ("dst net 2001:db8::/48", false),
            ("tcp port 443 and ip6", true),
        ],
    );
}

#[test]
fn flags_as_tcpdump_writes_them() {
    let first = "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn";
    let ends = "tcp[tcpflags] & (tcp-fin | tcp-rst) != 0";
    for (flags, is_first, is_end) in [
        (SYN, true, false),
        (SYN_ACK, false, false),
        (FIN_ACK, false, true),
    ] {
        let sample = Sample { flags, ..SAMPLE };
        check(
            &sample,
            &[
                (first, is_first),
                (ends, is_end),
                ("tcp[13]=0x12", flags == SYN_ACK),
                ("tcp[tcpflags]&tcp-syn!=0", flags != FIN_ACK),
            ],
        );
    }
    let udp = Sample {
        protocol: 17,
        ..SAMPLE
    };
    check(&udp, &[(ends, false), ("tcp", false), ("udp", true)]);
}

#[test]
fn words_bind_as_in_tcpdump() {
    check(
        &SAMPLE,
        &[
            ("port 80 or 443", true),
            ("port 443 or 80", true),
            ("src port 1 or 2 or 40000", true),
            // From left to right: (true or true) and false.
            ("port 80 or port 80 and port 1", false),
            ("port 80 or (port 80 and port 1)", true),
            ("not port 1 and port 80", true),
            ("!port 80||!!port 80&&tcp", true),
            ("inbound", true),
            ("outbound", false),
        ],
    );
}

#[test]
fn lengths() {
    let long = Sample {
        extra: 1_000,
        ..SAMPLE
    };
    check(&long, &[("greater 1054", true), ("less 1053", false)]);
    check(&SAMPLE, &[("greater 55", false), ("less 54", true)]);
}

#[test]
fn what_is_cut_short_matches_what_can_be_read() {
    let frame = SAMPLE.frame();
    let filter: Filter = "host 192.0.2.1 or port 80 or vlan 1 or tcp[13] != 0"
        .parse()
        .unwrap();
    for len in 0..frame.len() {
        let whole_addresses = len >= 34;
        assert_eq!(
            filter.takes(Direction::In, &frame[..len]),
            whole_addresses,
            "{len}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let error = |text: &str| text.parse::<Filter>().unwrap_err().to_string();
    for (text, says) in [
        ("host", "the filter ends where an address"),
        ("host example.org", "`example.org` where an address"),
        ("net 10.0.0.0/33", "`10.0.0.0/33` where a net"),
        ("port 70000", "`70000` where a port"),
        ("vlan 9999", "`9999` where a VLAN from 0 to 4094"),
        ("portrange 9-3", "`9-3` where a range"),
        ("port 80 443", "`443` where `and` or `or`"),
        ("(port 80", "ends where `)`"),
        ("tcp[tcpflags] & tcp-xyz != 0", "`tcp-xyz` where a flag"),
        ("tcp[4] = 0", "`4` where `tcpflags`"),
        ("ether proto 5", "`ether` where host, net, port"),
        ("and", "`and` where host"),
    ] {
        assert!(error(text).contains(says), "{text}: {}", error(text));
    }
    for text in ["(".repeat(200), "port 1 or ".repeat(200) + "port 2"] {
        assert_eq!(text.parse::<Filter>(), Err(FilterError::TooLong));
    }
}
