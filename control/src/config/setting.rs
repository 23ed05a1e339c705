//! Settings that hold their range, written the same way in the file and as flags.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use wirepath_tcp::time::Millis;

/// A setting as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Integer(i64),
    Text(String),
}

impl Written {
    /// `None` of a number.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) => None,
        }
    }
}

/// How a setting is read and written.
pub(super) trait Setting: Sized {
    /// What is allowed, as the end of "must be ...".
    fn allowed() -> String;

    /// `None` where this is not allowed.
    fn read(written: &Written) -> Option<Self>;

    fn write(&self) -> Written;
}

/// Reads one where its type is known by the caller alone.
fn read<T: Setting>(written: &Written) -> Result<T, String> {
    T::read(written).ok_or_else(|| match written {
        Written::Integer(number) => format!("is {number}, must be {}", T::allowed()),
        Written::Text(text) => format!("is {text:?}, must be {}", T::allowed()),
    })
}

struct Reader<T>(PhantomData<T>);

impl<T: Setting> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&T::allowed())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        read(&Written::Integer(number)).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        read(&Written::Text(text.to_owned())).map_err(E::custom)
    }
}

pub(super) fn deserialize<'de, T: Setting, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(Reader(PhantomData))
}

pub(super) fn serialize<T: Setting, S: Serializer>(setting: &T, to: S) -> Result<S::Ok, S::Error> {
    match setting.write() {
        Written::Integer(number) => to.serialize_i64(number),
        Written::Text(text) => to.serialize_str(&text),
    }
}

/// Several in an array.
pub(super) fn deserialize_all<'de, T: Setting, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    struct Item<T>(T);

    impl<'de, T: Setting> Deserialize<'de> for Item<T> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            deserialize(from).map(Self)
        }
    }

    let items = Vec::deserialize(from)?;
    Ok(items.into_iter().map(|Item(setting)| setting).collect())
}

/// A flag: what looks like a number is one.
pub(super) fn from_flag<T: Setting>(text: &str) -> Result<T, String> {
    let written = text
        .parse()
        .map_or_else(|_| Written::Text(text.to_owned()), Written::Integer);
    read(&written)
}

/// Lets serde and clap read a [`Setting`], and serde and people write it.
macro_rules! written_as_setting {
    ([$($generics:tt)*] $name:ty) => {
        impl<'de, $($generics)*> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::config::setting::deserialize(from)
            }
        }

        impl<$($generics)*> serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                $crate::config::setting::serialize(self, to)
            }
        }

        impl<$($generics)*> std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $crate::config::setting::from_flag(text)
            }
        }
    };
}
pub(super) use written_as_setting;

/// A time from `MIN` to `MAX` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period<const MIN: u32, const MAX: u32>(pub Millis);

impl<const MIN: u32, const MAX: u32> Period<MIN, MAX> {
    /// The same time in the standard library's type.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0.0 as u64)
    }
}

impl<const MIN: u32, const MAX: u32> Setting for Period<MIN, MAX> {
    fn allowed() -> String {
        let [least, most] = [MIN, MAX].map(|millis| Self(Millis(millis)).to_string());
        format!("a time from {least} to {most}, such as \"1m 30s\" or \"200ms\"")
    }

    fn read(written: &Written) -> Option<Self> {
        let time = humantime::parse_duration(written.text()?).ok()?;
        let millis = u32::try_from(time.as_millis()).ok()?;
        let is_whole = time.subsec_nanos() % 1_000_000 == 0;
        (is_whole && (MIN..=MAX).contains(&millis)).then_some(Self(Millis(millis)))
    }

    fn write(&self) -> Written {
        Written::Text(self.to_string())
    }
}

impl<const MIN: u32, const MAX: u32> Display for Period<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.duration()).fmt(f)
    }
}

written_as_setting!([const MIN: u32, const MAX: u32] Period<MIN, MAX>);

/// So many bytes, from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size<const MIN: u64, const MAX: u64>(pub u64);

impl<const MIN: u64, const MAX: u64> Setting for Size<MIN, MAX> {
    fn allowed() -> String {
        format!(
            "a size from {} to {}, such as \"64KiB\"",
            Self(MIN),
            Self(MAX)
        )
    }

    fn read(written: &Written) -> Option<Self> {
        let bytes = match written {
            Written::Integer(bytes) => u64::try_from(*bytes).ok()?,
            Written::Text(text) => text.parse::<ByteSize>().ok()?.as_u64(),
        };
        (MIN..=MAX).contains(&bytes).then_some(Self(bytes))
    }

    fn write(&self) -> Written {
        Written::Text(self.to_string())
    }
}

/// In the largest unit that leaves nothing over: what is written is what is read.
impl<const MIN: u64, const MAX: u64> Display for Size<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
            (1, "B"),
        ];
        let fits = |(unit, _): &(u64, &str)| self.0 >= *unit && self.0.is_multiple_of(*unit);
        let (unit, name) = units.into_iter().find(fits).unwrap_or((1, "B"));
        write!(f, "{}{name}", self.0 / unit)
    }
}

written_as_setting!([const MIN: u64, const MAX: u64] Size<MIN, MAX>);

/// A number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> Setting for Count<MIN, MAX> {
    fn allowed() -> String {
        format!("a number from {MIN} to {MAX}")
    }

    fn read(written: &Written) -> Option<Self> {
        let Written::Integer(number) = written else {
            return None;
        };
        let number = u32::try_from(*number).ok()?;
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    fn write(&self) -> Written {
        Written::Integer(self.0.into())
    }
}

written_as_setting!([const MIN: u32, const MAX: u32] Count<MIN, MAX>);

/// A word that a setting may be instead of a value.
pub trait Word {
    /// How it is written.
    const WORD: &'static str;
}

/// Whatever suits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auto;

/// Not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Off;

/// All there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct All;

/// Wherever it comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Any;

impl Word for Auto {
    const WORD: &'static str = "auto";
}

impl Word for Off {
    const WORD: &'static str = "off";
}

impl Word for All {
    const WORD: &'static str = "all";
}

impl Word for Any {
    const WORD: &'static str = "any";
}

/// A value, or the word for having none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Or<T, W>(pub Option<T>, PhantomData<W>);

impl<T, W> Or<T, W> {
    /// The value, or the word.
    #[must_use]
    pub const fn new(value: Option<T>) -> Self {
        Self(value, PhantomData)
    }
}

impl<T, W> Default for Or<T, W> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<T: Setting, W: Word> Setting for Or<T, W> {
    fn allowed() -> String {
        format!("{:?} or {}", W::WORD, T::allowed())
    }

    fn read(written: &Written) -> Option<Self> {
        match written {
            Written::Text(text) if text == W::WORD => Some(Self::default()),
            written => T::read(written).map(|value| Self::new(Some(value))),
        }
    }

    fn write(&self) -> Written {
        let word = || Written::Text(W::WORD.to_owned());
        self.0.as_ref().map_or_else(word, Setting::write)
    }
}

impl<'de, T: Setting, W: Word> Deserialize<'de> for Or<T, W> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize(from)
    }
}

impl<T: Setting, W: Word> Serialize for Or<T, W> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(self, to)
    }
}

impl<T: Setting, W: Word> FromStr for Or<T, W> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        from_flag(text)
    }
}

/// A range of ports, written as `61000-65535`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange(pub u16, pub u16);

impl Setting for PortRange {
    fn allowed() -> String {
        "a range of ports from 1 to 65535, such as \"61000-65535\"".to_owned()
    }

    fn read(written: &Written) -> Option<Self> {
        let (first, last) = written.text()?.split_once('-')?;
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (1..=last).contains(&first).then_some(Self(first, last))
    }

    fn write(&self) -> Written {
        Written::Text(format!("{}-{}", self.0, self.1))
    }
}

/// Numbers of queues or cores, written as `0,2,4-7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers(pub Vec<u16>);

impl Setting for Numbers {
    fn allowed() -> String {
        "a list of numbers such as \"0,2,4-7\"".to_owned()
    }

    fn read(written: &Written) -> Option<Self> {
        let text = match written {
            Written::Integer(number) => number.to_string(),
            Written::Text(text) => text.clone(),
        };
        let mut numbers = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
            if first > last {
                return None;
            }
            numbers.extend(first..=last);
        }
        Some(Self(numbers))
    }

    fn write(&self) -> Written {
        let numbers: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        Written::Text(numbers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text<T: Setting>(text: &str) -> Option<T> {
        T::read(&Written::Text(text.to_owned()))
    }

    #[test]
    fn a_time_has_a_unit_and_a_range() {
        type Wait = Period<200, 60_000>;
        assert_eq!(read_text("200ms"), Some(Period::<200, 60_000>(Millis(200))));
        assert_eq!(
            read_text::<Wait>("1m").map(|wait| wait.0),
            Some(Millis(60_000))
        );
        for wrong in ["199ms", "61s", "30", "", "200500us", "soon"] {
            assert_eq!(read_text::<Wait>(wrong), None, "{wrong}");
        }
        assert_eq!(Wait::read(&Written::Integer(300)), None);
        let said = from_flag::<Wait>("2m").unwrap_err();
        assert!(
            said.starts_with("is \"2m\", must be a time from 200ms to 1m,"),
            "{said}"
        );
    }

    #[test]
    fn a_size_is_written_as_it_is_read() {
        type Buffer = Size<2048, 2_097_152>;
        for (text, bytes) in [("2KiB", 2048), ("2049B", 2049), ("1MiB", 1 << 20)] {
            assert_eq!(read_text(text), Some(Size::<2048, 2_097_152>(bytes)));
            assert_eq!(Size::<2048, 2_097_152>(bytes).to_string(), text);
        }
        assert_eq!(Buffer::read(&Written::Integer(4096)), Some(Size(4096)));
        assert_eq!(read_text::<Buffer>("3MiB"), None);
        assert_eq!(Buffer::read(&Written::Integer(-1)), None);
    }

    #[test]
    fn a_word_stands_for_no_value() {
        type Workers = Or<Count<1, 255>, Auto>;
        assert_eq!("auto".parse(), Ok(Workers::new(None)));
        assert_eq!("3".parse(), Ok(Workers::new(Some(Count(3)))));
        let said = "0".parse::<Workers>().unwrap_err();
        assert_eq!(said, "is 0, must be \"auto\" or a number from 1 to 255");
    }

    #[test]
    fn numbers_come_in_lists_and_ranges() {
        assert_eq!(read_text("0,2,4-7"), Some(Numbers(vec![0, 2, 4, 5, 6, 7])));
        assert_eq!(Numbers::read(&Written::Integer(3)), Some(Numbers(vec![3])));
        for wrong in ["", "1,,2", "7-4", "a", "70000", "-1"] {
            assert_eq!(read_text::<Numbers>(wrong), None, "{wrong}");
        }
    }
}
