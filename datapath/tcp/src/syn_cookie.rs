//! A passive open without an entry, when there is no room for one: RFC 4987 3.6. All that must be
//! remembered of the peer's SYN travels in our sequence number, and in our timestamp.
//!
//! ```text
//! ISS   | MAC of tuple, IRS, slot and MSS: 29 bits | index of the MSS: 3 |
//! TSval | clock of the timestamps: 26 bits | SACK: 1 | ECN: 1 | shift: 4 |
//! ```

use std::hash::Hash;

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Options, Segment, Timestamps, WindowScale};

use crate::config::Config;
use crate::connection::ecn::OFFER;
use crate::half_open::HalfOpen;
use crate::isn::Secret;
use crate::limits::SMSS_MIN;
use crate::negotiated::Path;
use crate::time::Instant;

/// What the peer's MSS is rounded down to: the index has three bits.
const SIZES: [u16; 8] = [SMSS_MIN, 536, 1_220, 1_360, 1_440, 1_460, 4_312, 8_960];
const SIZE_BITS: u32 = 3;

/// How long a slot lasts. A cookie is good in its own slot and the next.
const SLOT_SECONDS: u64 = 64;

/// For so long may an answer to a cookie come: two slots.
pub const SYN_COOKIE_LIFE: std::time::Duration = std::time::Duration::from_secs(2 * SLOT_SECONDS);

/// Bits of TSval that stand for options.
const OPTION_BITS: u32 = 0x3F;
const SHIFT_BITS: u32 = 0x0F;
const NO_SHIFT: u32 = 0x0F;
const SACK_BIT: u32 = 0x20;
const ECN_BIT: u32 = 0x10;

/// How much the low bits of the timestamp may take it back, in its unit.
const TS_STEP: u32 = OPTION_BITS + 1;

/// The SYN-ACK for `syn`, of which nothing is kept.
#[must_use]
pub fn syn_ack(
    now: Instant,
    syn: &Header,
    tuple: &impl Hash,
    secret: &Secret,
    (config, path): (&Config, Path),
) -> Header {
    let size = index_of(syn.options.mss, path);
    let iss = cookie(secret, tuple, syn.seq, slot(now), size);
    let ts_offset = secret.ts_offset(tuple);
    let has_room = syn.options.timestamps.is_some() && config.timestamps;
    let syn = if has_room { *syn } else { without_options(syn) };
    let mut header = HalfOpen::new(now, &syn, config, iss, ts_offset).syn_ack(now, config, path);
    if let Some(timestamps) = &mut header.options.timestamps {
        timestamps.value = with_options(timestamps.value, &syn);
    }
    header
}

/// The entry that would have been kept, when `segment` answers a cookie of ours.
#[must_use]
pub fn accept(
    now: Instant,
    segment: &Segment<'_>,
    tuple: &impl Hash,
    secret: &Secret,
    config: &Config,
) -> Option<HalfOpen> {
    let Header {
        seq, ack, options, ..
    } = segment.header;
    if !segment.has(Flags::ACK) || segment.has(Flags::SYN) || segment.has(Flags::RST) {
        return None;
    }
    let (iss, irs) = (ack - 1, seq - 1);
    let size = iss.value() & ((1 << SIZE_BITS) - 1);
    let fresh = [0, 1].into_iter().any(|age| {
        let slot = slot(now).checked_sub(age);
        slot.is_some_and(|slot| cookie(secret, tuple, irs, slot, size) == iss)
    });
    let mss = SIZES.get(size as usize).copied().filter(|_| fresh)?;
    let ts_offset = secret.ts_offset(tuple);
    let timestamps = options.timestamps.filter(|_| config.timestamps);
    let syn = Header {
        seq: irs,
        flags: flags_of(timestamps),
        options: options_of(mss, timestamps),
        ..Header::default()
    };
    Some(HalfOpen::of_cookie(now, &syn, config, iss, ts_offset))
}

fn slot(now: Instant) -> u64 {
    now.as_millis() / 1_000 / SLOT_SECONDS
}

fn cookie(secret: &Secret, tuple: &impl Hash, irs: SeqNum, slot: u64, size: u32) -> SeqNum {
    let mac = secret.syn_cookie(&(tuple, irs.value(), slot, size));
    SeqNum::new(mac << SIZE_BITS | size)
}

/// A SYN of which only the MSS can be remembered: there is no timestamp for the rest.
fn without_options(syn: &Header) -> Header {
    Header {
        flags: Flags::SYN,
        options: Options {
            mss: syn.options.mss,
            ..Options::default()
        },
        ..*syn
    }
}

/// The flags of the SYN, as TSecr brings them back.
fn flags_of(timestamps: Option<Timestamps>) -> Flags {
    let offered = timestamps.is_some_and(|timestamps| timestamps.echo & ECN_BIT != 0);
    if offered {
        Flags::SYN | OFFER
    } else {
        Flags::SYN
    }
}

/// The largest size that the peer takes.
fn index_of(mss: Option<u16>, path: Path) -> u32 {
    let mss = mss.unwrap_or_else(|| path.default_smss());
    let fits = SIZES.iter().filter(|&&size| size <= mss).count();
    fits.saturating_sub(1) as u32
}

/// The latest TSval not after `value` that says what `options` say.
fn with_options(value: u32, syn: &Header) -> u32 {
    let options = &syn.options;
    let shift = options.window_scale;
    let shift = shift.map_or(NO_SHIFT, |shift| u32::from(shift.shift()));
    let sack = if options.sack_permitted { SACK_BIT } else { 0 };
    let ecn = if syn.flags.contains(OFFER) {
        ECN_BIT
    } else {
        0
    };
    let said = (value & !OPTION_BITS) | shift | sack | ecn;
    // A later TSval must not seem older than this one (RFC 7323 5.3).
    if said.wrapping_sub(value).cast_signed() > 0 {
        said.wrapping_sub(TS_STEP)
    } else {
        said
    }
}

/// The options of the SYN, as TSecr brings them back.
fn options_of(mss: u16, timestamps: Option<Timestamps>) -> Options {
    let bits = timestamps.map_or(NO_SHIFT, |timestamps| timestamps.echo & OPTION_BITS);
    let shift = bits & SHIFT_BITS;
    Options {
        mss: Some(mss),
        window_scale: (shift != NO_SHIFT).then(|| WindowScale::clamped(shift as u8)),
        sack_permitted: bits & SACK_BIT != 0,
        timestamps,
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use wirepath_wire::ip::Ecn;

    use super::*;
    use crate::isn::Secret;

    const PATH: Path = Path {
        mss: 1_460,
        ipv6: false,
    };

    fn syn(options: Options) -> Header {
        Header {
            seq: SeqNum::new(77),
            flags: Flags::SYN,
            options,
            ..Header::default()
        }
    }

    fn answer_to(syn_ack: &Header) -> Header {
        let echo = |ours: Timestamps| Timestamps {
            value: 1,
            echo: ours.value,
        };
        Header {
            seq: SeqNum::new(78),
            ack: syn_ack.seq + 1,
            flags: Flags::ACK,
            options: Options {
                timestamps: syn_ack.options.timestamps.map(echo),
                ..Options::default()
            },
            ..Header::default()
        }
    }

    fn accepts(now: Instant, header: Header) -> bool {
        let segment = Segment {
            header,
            payload: &[],
            ecn: Ecn::NotEct,
        };
        let secret = Secret::new([3; 16]);
        accept(now, &segment, &"tuple", &secret, &Config::default()).is_some()
    }

    fn cookie_at(now: Instant, options: Options) -> Header {
        let settings = (&Config::default(), PATH);
        let secret = Secret::new([3; 16]);
        syn_ack(now, &syn(options), &"tuple", &secret, settings)
    }

    #[test]
    fn the_timestamp_of_a_cookie_is_never_ahead_of_the_clock() {
        let timestamps = Some(Timestamps { value: 1, echo: 0 });
        for shift in 0..=14 {
            for millis in 100_000..100_130 {
                let now = Instant::from_millis(millis);
                let window_scale = Some(WindowScale::clamped(shift));
                let options = Options {
                    timestamps,
                    window_scale,
                    sack_permitted: shift % 2 == 0,
                    ..Options::default()
                };
                let cookie = cookie_at(now, options).options;
                let said = cookie.timestamps.expect("offered").value;
                let offset = Secret::new([3; 16]).ts_offset(&"tuple");
                let clock = (millis as u32).wrapping_add(offset);
                let behind = clock.wrapping_sub(said);
                assert!(behind < 2 * TS_STEP, "{behind}");
                let back = options_of(
                    536,
                    Some(Timestamps {
                        value: 1,
                        echo: said,
                    }),
                );
                assert_eq!(back.window_scale, window_scale);
                assert_eq!(back.sack_permitted, options.sack_permitted);
            }
        }
    }

    #[test]
    fn the_mss_comes_back_as_the_largest_size_that_is_not_larger() {
        for (mss, size) in [
            (None, 536),
            (Some(1), 48),
            (Some(535), 48),
            (Some(1_459), 1_440),
            (Some(1_460), 1_460),
            (Some(u16::MAX), 8_960),
        ] {
            assert_eq!(SIZES[index_of(mss, PATH) as usize], size, "{mss:?}");
        }
    }

    #[test]
    fn random_acknowledgments_open_nothing() {
        let now = Instant::from_millis(100_000);
        let good = answer_to(&cookie_at(now, Options::default()));
        assert!(accepts(now, good));
        // Two slots with 29 bits each: one in 2^28 would do.
        let mut random = 1_u32;
        for _ in 0..200_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let ack = SeqNum::new(random);
            assert!(ack == good.ack || !accepts(now, Header { ack, ..good }));
        }
    }

    #[test]
    fn only_a_plain_ack_answers_a_cookie() {
        let now = Instant::from_millis(100_000);
        let good = answer_to(&cookie_at(now, Options::default()));
        for flags in [
            Flags::empty(),
            Flags::SYN | Flags::ACK,
            Flags::RST | Flags::ACK,
        ] {
            assert!(!accepts(now, Header { flags, ..good }), "{flags:?}");
        }
    }
}
