//! The text format of Prometheus: version 0.0.4.

use std::fmt::{Display, Write as _};

/// What a family's numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows; its name ends with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// A family that is being written.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: String,
}

impl Text {
    /// Begins a family. Its name is without prefix, and without `_total`.
    pub(super) fn family(&mut self, kind: Kind, name: &str, help: &str) -> Family<'_> {
        let suffix = if kind == Kind::Counter { "_total" } else { "" };
        let name = format!("wirepath_{name}{suffix}");
        let (text, kind) = (&mut self.0, kind.name());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        Family { text, name }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// One number of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.write("", labels, value);
    }

    /// Counts by upper bound, which must be in order, then count and sum of all.
    pub(super) fn histogram(
        &mut self,
        labels: &[(&str, &dyn Display)],
        buckets: impl Iterator<Item = (f64, u64)>,
        (count, sum): (u64, f64),
    ) {
        for (bound, up_to) in buckets {
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.write("_bucket", &labels, up_to);
        }
        let mut all = labels.to_vec();
        all.push(("le", &"+Inf"));
        self.write("_bucket", &all, count);
        self.write("_sum", labels, sum);
        self.write("_count", labels, count);
    }

    fn write(&mut self, suffix: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (index, (name, label)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let label = escaped(&label.to_string());
            let _ = write!(self.text, "{open}{name}=\"{label}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

fn escaped(label: &str) -> String {
    let label = label.replace('\\', "\\\\").replace('"', "\\\"");
    label.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_help_type_and_samples() {
        let mut text = Text::default();
        let mut family = text.family(Kind::Counter, "frames", "Frames");
        family.sample(&[("worker", &0), ("name", &"a\"b\\c\nd")], 7);
        text.family(Kind::Gauge, "open", "Open").sample(&[], 1);
        let expected = r#"# HELP wirepath_frames_total Frames.
# TYPE wirepath_frames_total counter
wirepath_frames_total{worker="0",name="a\"b\\c\nd"} 7
# HELP wirepath_open Open.
# TYPE wirepath_open gauge
wirepath_open 1
"#;
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn a_histogram_ends_with_all() {
        let mut text = Text::default();
        let mut family = text.family(Kind::Histogram, "span_seconds", "Spans");
        let buckets = [(0.000_001, 1), (0.5, 3)].into_iter();
        family.histogram(&[("stage", &"in")], buckets, (4, 2.25));
        let expected = r#"# HELP wirepath_span_seconds Spans.
# TYPE wirepath_span_seconds histogram
wirepath_span_seconds_bucket{stage="in",le="0.000001"} 1
wirepath_span_seconds_bucket{stage="in",le="0.5"} 3
wirepath_span_seconds_bucket{stage="in",le="+Inf"} 4
wirepath_span_seconds_sum{stage="in"} 2.25
wirepath_span_seconds_count{stage="in"} 4
"#;
        assert_eq!(text.into_string(), expected);
    }
}
