//! What a script sets before it begins.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wirepath_tcp::config::{Config, CongestionControl, EcnMode, KeepAlive, SynCookies};
use wirepath_tcp::time::Millis;

use super::parse::{ParseError, Words};
use crate::config::HostConfig;

/// The addresses of the host and of the peer, over IPv4.
const IPV4: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
];
/// And over IPv6.
const IPV6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 2)),
];

/// A host whose ACKs and windows are easy to tell: nothing grows but by what a script does.
pub(super) fn base() -> HostConfig {
    let mut config = HostConfig::new(IPV4[0], [7; 16]);
    config.tcp.quick_acks = 0;
    config.tcp.congestion = CongestionControl::NewReno;
    config.tcp.pacing = false;
    config
}

/// The addresses of the host and of the peer.
pub(super) fn addresses(config: &HostConfig) -> [IpAddr; 2] {
    if config.addresses.contains(&IPV6[0]) {
        IPV6
    } else {
        IPV4
    }
}

/// Once all is set: what is beyond its range.
pub(super) fn clamp(config: &mut HostConfig) {
    let least = if addresses(config) == IPV6 {
        1_280
    } else {
        576
    };
    config.mtu = config.mtu.clamp(least, 9_000);
    config.capacity.half_open = config.capacity.half_open.clamp(1, 1_024);
}

const NAMES: &str = "a setting: timestamps, sack, window_scaling, nagle, fast_open, pacing, \
    path_probing, user_timeout_option (on or off), delayed_ack, initial_rto, min_rto, \
    user_timeout, stall_timeout, msl, fin_wait_2 (milliseconds), send_buffer, receive_buffer, \
    quick_acks, initial_window, half_open, mtu, ttl (numbers), ip (4 or 6), congestion, ecn, \
    syn_cookies, or keep_alive with idle and interval in milliseconds and a count";

/// `set NAME VALUE`.
pub(super) fn set(config: &mut HostConfig, words: &mut Words<'_>) -> Result<(), ParseError> {
    let name = words.peek();
    if let Some(switch) = switch_named(&mut config.tcp, name) {
        return words.choice(switch, &[("on", true), ("off", false)]);
    }
    if let Some(span) = span_named(&mut config.tcp, name) {
        words.next();
        *span = Millis(words.number("milliseconds")?);
        return Ok(());
    }
    set_choice_or_number(config, words)
}

fn switch_named<'a>(tcp: &'a mut Config, name: &str) -> Option<&'a mut bool> {
    Some(match name {
        "timestamps" => &mut tcp.timestamps,
        "sack" => &mut tcp.sack,
        "window_scaling" => &mut tcp.window_scaling,
        "nagle" => &mut tcp.nagle,
        "fast_open" => &mut tcp.fast_open,
        "pacing" => &mut tcp.pacing,
        "path_probing" => &mut tcp.path_probing,
        "user_timeout_option" => &mut tcp.user_timeout_option,
        _ => return None,
    })
}

fn span_named<'a>(tcp: &'a mut Config, name: &str) -> Option<&'a mut Millis> {
    Some(match name {
        "delayed_ack" => &mut tcp.delayed_ack,
        "initial_rto" => &mut tcp.initial_rto,
        "min_rto" => &mut tcp.min_rto,
        "user_timeout" => &mut tcp.user_timeout,
        "msl" => &mut tcp.msl,
        "fin_wait_2" => &mut tcp.fin_wait_2,
        "stall_timeout" => tcp.stall_timeout.get_or_insert(Millis(0)),
        _ => return None,
    })
}

fn set_choice_or_number(config: &mut HostConfig, words: &mut Words<'_>) -> Result<(), ParseError> {
    let tcp = &mut config.tcp;
    match words.peek() {
        "ip" => {
            let mut both = IPV4;
            words.choice(&mut both, &[("4", IPV4), ("6", IPV6)])?;
            config.addresses = vec![both[0]];
            Ok(())
        }
        "ttl" => words.value(&mut config.hop_limit),
        "send_buffer" => words.value(&mut tcp.send_buffer),
        "receive_buffer" => words.value(&mut tcp.receive_buffer),
        "quick_acks" => words.value(&mut tcp.quick_acks),
        "initial_window" => words.value(&mut tcp.initial_window),
        "half_open" => words.value(&mut config.capacity.half_open),
        "mtu" => words.value(&mut config.mtu),
        "congestion" => {
            let all = CongestionControl::ALL.map(|control| (control.name(), control));
            words.choice(&mut tcp.congestion, &all)
        }
        "ecn" => {
            use EcnMode::{Active, Off, Passive};
            let modes = [("off", Off), ("passive", Passive), ("active", Active)];
            words.choice(&mut tcp.ecn, &modes)
        }
        "syn_cookies" => {
            use SynCookies::{Always, Off, WhenFull};
            let modes = [("off", Off), ("when_full", WhenFull), ("always", Always)];
            words.choice(&mut tcp.syn_cookies, &modes)
        }
        "keep_alive" => {
            words.next();
            tcp.keep_alive = Some(KeepAlive {
                idle: Millis(words.number("milliseconds")?),
                interval: Millis(words.number("milliseconds")?),
                probes: words.number("a count")?,
            });
            Ok(())
        }
        _ => Err(words.fail(NAMES)),
    }
}

impl Words<'_> {
    fn choice<T: Copy>(&mut self, value: &mut T, choices: &[(&str, T)]) -> Result<(), ParseError> {
        self.next();
        let word = self.peek();
        let found = choices.iter().find(|(name, _)| *name == word);
        let Some((_, chosen)) = found else {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            return Err(self.fail(&names.join(" or ")));
        };
        self.next();
        *value = *chosen;
        Ok(())
    }

    fn value<T: std::str::FromStr>(&mut self, value: &mut T) -> Result<(), ParseError> {
        self.next();
        *value = self.number("a number")?;
        Ok(())
    }
}
