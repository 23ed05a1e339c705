//! Who may connect to a listener.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use wirepath_bpf::Rule;

/// Networks that may connect, and such that may not. The longest that a client is in decides; who
/// is in none may if none is named that may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Those that may.
    pub allow: Vec<IpNet>,
    /// Those that may not.
    pub deny: Vec<IpNet>,
}

impl Access {
    /// For the XDP program; none where everybody may.
    pub(super) fn rules(&self) -> Vec<Rule> {
        if self.allow.is_empty() && self.deny.is_empty() {
            return Vec::new();
        }
        let rule = |allow| move |&network: &IpNet| Rule { network, allow };
        let allowed = self.allow.iter().map(rule(true));
        let denied = self.deny.iter().map(rule(false));
        let named: Vec<Rule> = allowed.chain(denied).collect();
        let all = [
            IpNet::from(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
            IpNet::from(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
        ];
        let is_new = |network: &IpNet| named.iter().all(|rule| rule.network != *network);
        let others = all.into_iter().filter(is_new).map(|network| Rule {
            network,
            allow: self.allow.is_empty(),
        });
        others.chain(named.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> Vec<(String, bool)> {
        let networks = |list: &[&str]| list.iter().map(|it| it.parse().unwrap()).collect();
        let access = Access {
            allow: networks(allow),
            deny: networks(deny),
        };
        let rules = access.rules().into_iter();
        rules
            .map(|rule| (rule.network.to_string(), rule.allow))
            .collect()
    }

    #[test]
    fn who_is_in_no_network_may_where_only_others_may_not() {
        let named = |network: &str, allow| (network.to_owned(), allow);
        assert_eq!(rules(&[], &[]), []);
        let only_denied = [
            named("0.0.0.0/0", true),
            named("::/0", true),
            named("10.0.0.0/8", false),
        ];
        assert_eq!(rules(&[], &["10.0.0.0/8"]), only_denied);
        let both = [
            named("::/0", false),
            named("10.1.0.0/16", true),
            named("0.0.0.0/0", false),
        ];
        assert_eq!(rules(&["10.1.0.0/16"], &["0.0.0.0/0"]), both);
    }
}
