//! TCP options as text, in the words of packetdrill and tcpdump, in the order of the wire.

use std::fmt::Write;

/// How our timestamps and theirs are told: relative to a start, or as they are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clocks {
    /// Added to `val`.
    pub(super) value: u32,
    /// Added to `ecr`.
    pub(super) echo: u32,
    /// Added to both ends of SACK blocks.
    pub(super) sack: u32,
}

/// The bytes of options written as text; an error names the word.
pub(super) fn encode(text: &str, clocks: Clocks) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for item in text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
    {
        let words: Vec<&str> = item.split_whitespace().collect();
        encode_one(&words, clocks, &mut bytes).ok_or_else(|| item.to_owned())?;
    }
    while bytes.len() % 4 != 0 {
        bytes.push(0);
    }
    if bytes.len() > 40 {
        return Err(format!("{} bytes of options, 40 fit", bytes.len()));
    }
    Ok(bytes)
}

fn encode_one(words: &[&str], clocks: Clocks, bytes: &mut Vec<u8>) -> Option<()> {
    match *words {
        ["nop"] => bytes.push(1),
        ["eol"] => bytes.push(0),
        ["mss", size] => {
            let [a, b] = size.parse::<u16>().ok()?.to_be_bytes();
            bytes.extend([2, 4, a, b]);
        }
        ["wscale", shift] => bytes.extend([3, 3, shift.parse().ok()?]),
        ["sackOK"] => bytes.extend([4, 2]),
        ["TS", "val", value, "ecr", echo] => {
            bytes.extend([8, 10]);
            for (number, base) in [(value, clocks.value), (echo, clocks.echo)] {
                let number = number.parse::<u32>().ok()?;
                // 0 says that there is nothing to echo.
                let told = if number == 0 && base == clocks.echo {
                    0
                } else {
                    number.wrapping_add(base)
                };
                bytes.extend(told.to_be_bytes());
            }
        }
        ["sack", ref blocks @ ..] if !blocks.is_empty() => {
            bytes.extend([5, u8::try_from(2 + 8 * blocks.len()).ok()?]);
            for block in blocks {
                let (left, right) = block.split_once(':')?;
                for edge in [left, right] {
                    let edge = edge.parse::<u32>().ok()?.wrapping_add(clocks.sack);
                    bytes.extend(edge.to_be_bytes());
                }
            }
        }
        ["uto", time] => {
            let [a, b] = time.parse::<u16>().ok()?.to_be_bytes();
            bytes.extend([28, 4, a, b]);
        }
        ["raw", digits] => bytes.extend(hex(digits)?),
        _ => return None,
    }
    Some(())
}

/// Bytes written in hex digits.
pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// Options of the wire as text.
pub(super) fn decode(mut bytes: &[u8], clocks: Clocks) -> String {
    let mut text = String::new();
    while let [kind, rest @ ..] = bytes {
        if !text.is_empty() {
            text.push(',');
        }
        let option = match (kind, rest) {
            (0 | 1, _) => &bytes[..1],
            (_, [len, ..]) if (2..=bytes.len()).contains(&usize::from(*len)) => {
                &bytes[..usize::from(*len)]
            }
            _ => bytes,
        };
        decode_one(option, clocks, &mut text);
        bytes = &bytes[option.len()..];
    }
    text
}

fn decode_one(option: &[u8], clocks: Clocks, text: &mut String) {
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all: u32, byte| all << 8 | u32::from(*byte))
    };
    let written = match option {
        [0] => write!(text, "eol"),
        [1] => write!(text, "nop"),
        [2, 4, size @ ..] => write!(text, "mss {}", word(size)),
        [3, 3, shift] => write!(text, "wscale {shift}"),
        [4, 2] => write!(text, "sackOK"),
        [8, 10, times @ ..] => {
            let value = word(&times[..4]).wrapping_sub(clocks.value);
            let echo = match word(&times[4..]) {
                0 => 0,
                echo => echo.wrapping_sub(clocks.echo),
            };
            write!(text, "TS val {value} ecr {echo}")
        }
        [5, _, blocks @ ..] => {
            text.push_str("sack");
            for block in blocks.chunks(8).filter(|block| block.len() == 8) {
                let [left, right] =
                    [&block[..4], &block[4..]].map(|edge| word(edge).wrapping_sub(clocks.sack));
                let _ = write!(text, " {left}:{right}");
            }
            Ok(())
        }
        [28, 4, time @ ..] => write!(text, "uto {}", word(time)),
        other => {
            text.push_str("raw ");
            other.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
        }
    };
    debug_assert!(written.is_ok(), "a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_back_as_they_were_written() {
        let clocks = Clocks {
            value: 1_000,
            echo: 77,
            sack: u32::MAX - 5,
        };
        for text in [
            "mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7",
            "nop,nop,TS val 0 ecr 5",
            "nop,nop,sack 1:3 9:12",
            "uto 300",
            "raw 6304abcd",
        ] {
            let bytes = encode(text, clocks).expect(text);
            assert_eq!(decode(&bytes, clocks), text);
        }
    }

    #[test]
    fn what_is_no_option_is_named() {
        for text in [
            "mss",
            "mss 70000",
            "wscale x",
            "TS val 1",
            "sack",
            "sack 1-2",
            "raw zz",
            "x",
        ] {
            assert!(encode(text, Clocks::default()).is_err(), "{text}");
        }
        let long = "mss 1,".repeat(11);
        assert!(encode(&long, Clocks::default()).is_err());
    }

    #[test]
    fn any_bytes_are_told() {
        for len in 0..=40 {
            for seed in 0..200_u32 {
                let byte =
                    |n: u32| (seed.wrapping_mul(2_654_435_761).wrapping_add(n * n * 7) >> 3) as u8;
                let bytes: Vec<u8> = (0..len).map(byte).collect();
                decode(&bytes, Clocks::default());
            }
        }
    }
}
