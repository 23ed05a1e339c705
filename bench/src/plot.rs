//! Lines over two axes, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 70.0;
/// Room for the names at the right.
const NAMES: f64 = 280.0;
const TICKS: u32 = 5;
/// Colors that people with any sight tell apart (Okabe and Ito).
const COLORS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

/// What an axis shows, and how.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    name: &'static str,
    logarithmic: bool,
}

impl Axis {
    pub(crate) const fn linear(name: &'static str) -> Self {
        Self {
            name,
            logarithmic: false,
        }
    }

    pub(crate) const fn logarithmic(name: &'static str) -> Self {
        Self {
            name,
            logarithmic: true,
        }
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.logarithmic {
            value.max(f64::MIN_POSITIVE).log10()
        } else {
            value
        }
    }

    fn unscaled(&self, place: f64) -> f64 {
        if self.logarithmic {
            10_f64.powf(place)
        } else {
            place
        }
    }
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// All lines of a plot.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// From the least to the most of an axis.
type Span = (f64, f64);

impl Plot {
    /// Whether there is anything to be seen.
    pub(crate) fn has_lines(&self) -> bool {
        self.series.iter().any(|series| series.points.len() > 1)
    }

    pub(crate) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let across = span(points().map(|&(x, _)| self.x.scaled(x)), self.x.logarithmic);
        let up = span(points().map(|&(_, y)| self.y.scaled(y)), self.y.logarithmic);
        let (width, title) = (WIDTH + NAMES, escape(&self.title));
        let mut svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {HEIGHT}' \
             font-family='sans-serif' font-size='12'>\n<text x='{MARGIN}' y='24' \
             font-size='16'>{title}</text>\n"
        );
        self.grid(&mut svg, across, up);
        for (number, series) in self.series.iter().enumerate() {
            let color = COLORS[number % COLORS.len()];
            let places = series.points.iter().map(|&(x, y)| {
                let x = across_at(share(self.x.scaled(x), across));
                let y = up_at(share(self.y.scaled(y), up));
                format!("{x:.1},{y:.1}")
            });
            let places: Vec<String> = places.collect();
            let (x, y) = (WIDTH - MARGIN + 12.0, MARGIN + 18.0 * number as f64);
            // Writing to a string cannot fail.
            let _ = writeln!(
                svg,
                "<polyline points='{}' fill='none' stroke='{color}' stroke-width='2'/>\
                 <text x='{x}' y='{y}' fill='{color}'>{}</text>",
                places.join(" "),
                escape(&series.name)
            );
        }
        svg + "</svg>\n"
    }

    fn grid(&self, svg: &mut String, across: Span, up: Span) {
        let (low, right) = (HEIGHT - MARGIN, WIDTH - MARGIN);
        for tick in 0..=TICKS {
            let at = f64::from(tick) / f64::from(TICKS);
            let (x, y) = (across_at(at), up_at(at));
            let across = self.x.unscaled(across.0 + at * (across.1 - across.0));
            let up = self.y.unscaled(up.0 + at * (up.1 - up.0));
            let _ = writeln!(
                svg,
                "<path d='M{x:.1} {MARGIN}V{low}M{MARGIN} {y:.1}H{right}' stroke='#ddd'/>\
                 <text x='{x:.1}' y='{:.1}' text-anchor='middle'>{}</text>\
                 <text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>",
                low + 18.0,
                number(across),
                MARGIN - 6.0,
                y + 4.0,
                number(up)
            );
        }
        let _ = writeln!(
            svg,
            "<text x='{:.1}' y='{:.1}' text-anchor='middle'>{}</text>\
             <text x='{MARGIN}' y='{:.1}'>{}</text>",
            f64::midpoint(MARGIN, right),
            HEIGHT - 24.0,
            self.x.name,
            MARGIN - 12.0,
            self.y.name
        );
    }
}

fn across_at(share: f64) -> f64 {
    MARGIN + share * (WIDTH - 2.0 * MARGIN)
}

fn up_at(share: f64) -> f64 {
    HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)
}

fn share(value: f64, (least, most): Span) -> f64 {
    ((value - least) / (most - least)).clamp(0.0, 1.0)
}

/// From zero where the axis can show it, and never empty.
fn span(values: impl Iterator<Item = f64>, logarithmic: bool) -> Span {
    let start = if logarithmic { f64::INFINITY } else { 0.0 };
    let found = values.fold((start, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let (least, most) = found;
    if least.is_finite() && most > least {
        (least, most)
    } else if least.is_finite() && most.is_finite() {
        (least - 0.5, most + 0.5)
    } else {
        (0.0, 1.0)
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Text that HTML takes for text.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            title: "a < b".to_owned(),
            x: Axis::logarithmic("x"),
            y: Axis::linear("y"),
            series: vec![Series {
                name: "one".to_owned(),
                points,
            }],
        }
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let svg = plot(vec![(1.0, 0.0), (10.0, 50.0), (100.0, 100.0)]).svg();
        assert!(
            svg.contains("points='70.0,350.0 450.0,210.0 830.0,70.0'"),
            "{svg}"
        );
        assert!(svg.contains("a &lt; b"));
    }

    #[test]
    fn a_single_point_and_none_can_be_drawn() {
        for points in [vec![(5.0, 5.0)], Vec::new()] {
            let plot = plot(points);
            assert!(!plot.has_lines());
            assert!(!plot.svg().contains("NaN"));
        }
    }
}
