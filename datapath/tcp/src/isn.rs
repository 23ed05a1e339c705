//! Initial sequence numbers: RFC 9293 3.4.1 and RFC 6528.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher24;
use wirepath_wire::seq::SeqNum;

use crate::time::Instant;

/// The secret key of one host, made at start from the system's randomness.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What the hash is used for, so that one use says nothing of another.
#[derive(Hash)]
enum Use {
    Isn,
    Timestamps,
    SynCookie,
    FastOpen,
}

impl Secret {
    /// The secret with this key.
    #[must_use]
    pub const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// The key, for the keyed hashes of the same host's tables.
    #[must_use]
    pub const fn key(&self) -> &[u8; 16] {
        &self.0
    }

    /// ISN = M + F(tuple, key), M a clock of 4 us: RFC 9293 3.4.1 (MUST-8, MUST-9, SHLD-1).
    #[must_use]
    pub fn isn(&self, now: Instant, tuple: &impl Hash) -> SeqNum {
        let clock = (now.as_nanos() / 4_000) as u32;
        SeqNum::new(clock.wrapping_add(self.hash(Use::Isn, tuple)))
    }

    /// What a connection adds to the clock of its timestamps: RFC 7323 5.4.
    #[must_use]
    pub fn ts_offset(&self, tuple: &impl Hash) -> u32 {
        self.hash(Use::Timestamps, tuple)
    }

    /// The MAC of a SYN cookie over what it vouches for.
    pub(crate) fn syn_cookie(&self, content: &impl Hash) -> u32 {
        self.hash(Use::SynCookie, content)
    }

    /// The cookie that shows that a SYN of `peer` comes from there: RFC 7413 4.1.2.
    #[must_use]
    pub fn fast_open_cookie(&self, peer: &impl Hash) -> [u8; 8] {
        self.hash_whole(Use::FastOpen, peer).to_be_bytes()
    }

    fn hash(&self, purpose: Use, tuple: &impl Hash) -> u32 {
        self.hash_whole(purpose, tuple) as u32
    }

    fn hash_whole(&self, purpose: Use, tuple: &impl Hash) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        purpose.hash(&mut hasher);
        tuple.hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_isn_of_a_tuple_follows_the_clock_and_others_are_elsewhere() {
        let secret = Secret::new([7; 16]);
        let isn = |millis, tuple: u32| secret.isn(Instant::from_millis(millis), &tuple);
        assert_eq!(isn(8, 1).distance_from(isn(0, 1)), 2_000);
        assert_ne!(isn(0, 1), isn(0, 2));
        assert_ne!(isn(0, 1), Secret::new([8; 16]).isn(Instant::ZERO, &1u32));
    }

    #[test]
    fn a_secret_is_not_in_what_is_printed() {
        assert_eq!(format!("{:?}", Secret::new([7; 16])), "Secret");
    }

    #[test]
    fn one_use_of_the_secret_says_nothing_of_another() {
        let secret = Secret::new([7; 16]);
        let isn = secret.isn(Instant::ZERO, &1u32).value();
        let cookie = u64::from_be_bytes(secret.fast_open_cookie(&1u32)) as u32;
        let all = [
            isn,
            secret.ts_offset(&1u32),
            secret.syn_cookie(&1u32),
            cookie,
        ];
        for (nth, one) in all.iter().enumerate() {
            assert!(!all[..nth].contains(one), "{all:?}");
        }
    }

    #[test]
    fn a_fast_open_cookie_is_of_one_peer_and_one_host() {
        let secret = Secret::new([7; 16]);
        let cookie = secret.fast_open_cookie(&1u32);
        assert_eq!(cookie, secret.fast_open_cookie(&1u32));
        assert_ne!(cookie, secret.fast_open_cookie(&2u32));
        assert_ne!(cookie, Secret::new([8; 16]).fast_open_cookie(&1u32));
    }
}
