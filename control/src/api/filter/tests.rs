use super::*;

fn tuple(local: &str, remote: &str) -> Tuple {
    let endpoint = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::from(address)
    };
    Tuple {
        local: endpoint(local),
        remote: endpoint(remote),
    }
}

fn passes(filter: &str, state: State, local: &str, remote: &str) -> bool {
    let filter: Filter = filter.parse().unwrap_or_else(|e| panic!("{filter}: {e}"));
    filter.matches(state, &tuple(local, remote))
}

#[test]
fn filters_are_read_as_ss_reads_them() {
    let v4 = ("192.0.2.1:7", "10.1.2.3:50000");
    let v6 = ("[2001:db8::1]:7", "[2001:db8:0:1::9]:443");
    let cases = [
        ("", v4, true),
        ("dst 10.0.0.0/8", v4, true),
        ("dst 10.0.0.0/8", v6, false),
        ("dst 11.0.0.0/8", v4, false),
        ("dst 10.1.2.3", v4, true),
        ("dst 10.1.2.3:50000", v4, true),
        ("dst = 10.1.2.3:50001", v4, false),
        ("dst != 10.1.2.3", v4, false),
        ("dst 0.0.0.0/0", v4, true),
        ("src *:7", v4, true),
        ("src :7", v6, true),
        ("src [2001:db8::1]", v6, true),
        ("src 2001:db8::1", v6, true),
        ("src [2001:db8::1]:7", v6, true),
        ("src [2001:db8::1]:8", v6, false),
        ("dst 2001:db8::/32", v6, true),
        ("dst 2001:db8::/64", v6, false),
        ("dst [2001:db8::]/32:443", v6, true),
        ("sport = :7", v4, true),
        ("sport=7", v4, true),
        ("sport eq 8", v4, false),
        ("dport >= :1024", v4, true),
        ("dport < 1024", v6, true),
        ("dport gt :50000", v4, false),
        ("dport le 50000", v4, true),
        ("dst > :40000", v4, true),
        ("sport = :7 dport = :443", v6, true),
        ("sport = :7 and dport = :443", v4, false),
        ("dport = :443 or dport = :50000", v4, true),
        ("dport = :443 || dport = :444", v4, false),
        ("not dport = :443", v4, true),
        ("! dport = :443 & sport = :7", v4, true),
        ("!(dport=:443|dport=:50000)", v4, false),
        // `and` binds closer than `or`.
        ("sport = :7 or sport = :9 and dport = :1", v4, true),
        ("( sport = :7 or sport = :9 ) and dport = :1", v4, false),
    ];
    for (filter, (local, remote), expected) in cases {
        let passed = passes(filter, State::Established, local, remote);
        assert_eq!(passed, expected, "{filter:?} for {local} {remote}");
    }
}

#[test]
fn states_come_first_and_add_up() {
    let ends = ("192.0.2.1:7", "10.1.2.3:50000");
    let passing = |filter: &str| -> Vec<&str> {
        let states = State::ALL.into_iter();
        let passing = states.filter(|&state| passes(filter, state, ends.0, ends.1));
        passing.map(State::name).collect()
    };
    assert_eq!(passing("").len(), State::ALL.len());
    assert_eq!(passing("state time-wait"), ["TIME-WAIT"]);
    assert_eq!(passing("state TIME-WAIT"), ["TIME-WAIT"]);
    let two = ["FIN-WAIT-1", "TIME-WAIT"];
    assert_eq!(passing("state fin-wait-1 state time-wait sport = :7"), two);
    assert_eq!(passing("state bucket"), ["SYN-RECEIVED", "TIME-WAIT"]);
    assert_eq!(passing("state bucket exclude time-wait"), ["SYN-RECEIVED"]);
    assert_eq!(passing("state connected").len(), 9);
    assert_eq!(passing("state synchronized").len(), 8);
    assert_eq!(passing("exclude connected"), ["CLOSED", "LISTEN"]);
    assert_eq!(passing("state big").len(), 9);
    assert!(passing("state time-wait dst 11.0.0.0/8").is_empty());
    for state in State::ALL {
        let named = format!("state {}", state.name());
        assert_eq!(passing(&named), [state.name()]);
    }
}

#[test]
fn a_filter_that_makes_no_sense_says_where() {
    let cases = [
        ("state", "expected a state"),
        ("state sleeping", "\"sleeping\""),
        ("dst", "the end of the filter"),
        ("dst 10.0.0.0/33", "\"10.0.0.0/33\""),
        ("dst 2001:db8::1:7:", "expected an address"),
        ("dst > 10.0.0.1", "no order"),
        ("sport = :65536", "\":65536\""),
        ("sport = http", "\"http\""),
        ("( sport = :7", "closing parenthesis"),
        ("sport = :7 )", "and, or, or the end"),
        ("sport = :7 or", "the end of the filter"),
        ("sport = :7 state established", "state comes first"),
        ("port 7", "\"port\""),
        ("sport >< 7", "\"><\""),
    ];
    for (filter, wanted) in cases {
        let error = filter.parse::<Filter>().unwrap_err().to_string();
        assert!(error.contains(wanted), "{filter:?}: {error}");
    }
}

#[test]
fn neither_length_nor_depth_is_without_bound() {
    let deep = |depth: usize| format!("{}sport = :7", "not ".repeat(depth));
    assert!(deep(DEPTH_MAX - 1).parse::<Filter>().is_ok());
    assert!(deep(DEPTH_MAX).parse::<Filter>().is_err());
    let open = "(".repeat(LENGTH_MAX);
    assert!(open.parse::<Filter>().is_err());
    let long = " ".repeat(LENGTH_MAX + 1);
    assert!(long.parse::<Filter>().is_err());
    let side_by_side = "sport = :7 ".repeat(300);
    assert!(side_by_side.parse::<Filter>().is_ok());
}
