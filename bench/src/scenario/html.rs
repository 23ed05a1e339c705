//! A page with plots that opens without a network.

use std::fmt::Write as _;

use super::grid;
use super::report::{Report, Row};
use crate::load::{Load, Pace};
use crate::plot::{Axis, Plot, Series, escape};

const STYLE: &str = "body{font:14px sans-serif;margin:2em;max-width:1100px}\
    table{border-collapse:collapse}\
    td,th{padding:2px 8px;text-align:right;border-bottom:1px solid #ddd}\
    pre{white-space:pre-wrap;color:#555}svg{margin:1em 0;display:block}";

/// The table, and the plots that the measurements give.
pub(super) fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>wirepath-bench</title>\
         <style>{STYLE}</style></head><body>\n<h1>wirepath-bench</h1>\n<pre>{}</pre>\n",
        escape(&report.environment.to_string())
    );
    page += &table(report);
    for plot in [
        percentiles(report),
        latency_by_load(report),
        scaling(report),
    ] {
        if plot.has_lines() {
            page += &plot.svg();
        }
    }
    page + "</body></html>\n"
}

fn table(report: &Report) -> String {
    let mut text = String::from("<table>\n");
    for (number, line) in report.lines().iter().enumerate() {
        let tag = if number == 0 { "th" } else { "td" };
        let cells = line
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "<tr>{}</tr>", cells.collect::<String>());
    }
    text + "</table>\n"
}

/// Share of the messages over the time in which they were answered, the tail spread out.
fn percentiles(report: &Report) -> Plot {
    let rows = report.rows.iter().filter(|row| !row.curve.is_empty());
    let series = rows.map(|row| Series {
        name: format!("{}, {}", row.server, grid::describe(&row.load)),
        // One in two, in four, in eight and so on took longer.
        points: row
            .curve
            .iter()
            .map(|&(share, micros)| (1.0 / (1.0 - share), micros))
            .collect(),
    });
    Plot {
        title: "Latency: one in so many messages took longer".to_owned(),
        x: Axis::logarithmic("one in"),
        y: Axis::logarithmic("microseconds"),
        series: series.collect(),
    }
}

/// p50 and p99 over the rate that was asked for, where it was.
fn latency_by_load(report: &Report) -> Plot {
    let mut series = Vec::new();
    for (place, name) in [(0, "p50"), (2, "p99")] {
        let points = |row: &Row| match (row.load.pace, row.latency_us) {
            (Pace::Open { rate, .. }, Some(latency)) => {
                let Load {
                    connections, size, ..
                } = row.load;
                let alike = format!("{name}, {connections} connections, {size} B");
                latency[place].map(|micros| (alike, (rate, micros)))
            }
            _ => None,
        };
        series.extend(lines(report, points));
    }
    Plot {
        title: "Latency against load".to_owned(),
        x: Axis::linear("messages a second"),
        y: Axis::logarithmic("microseconds"),
        series,
    }
}

/// Messages a second over the connections.
fn scaling(report: &Report) -> Plot {
    let bulk = report.rows.iter().all(|row| row.latency_us.is_none());
    let value = |row: &Row| {
        if bulk {
            row.mbit_per_second
        } else {
            row.per_second
        }
    };
    let points = |row: &Row| {
        let alike = format!(
            "{} B, {}",
            grid::bytes(&row.load),
            grid::pace(&row.load.pace)
        );
        Some((alike, (row.load.connections as f64, value(row))))
    };
    Plot {
        title: "Scaling with connections".to_owned(),
        x: Axis::logarithmic("connections"),
        y: Axis::linear(if bulk { "Mbit/s" } else { "a second" }),
        series: lines(report, points),
    }
}

/// A line for each server and all that is alike, where that has more than one point.
fn lines(report: &Report, point: impl Fn(&Row) -> Option<(String, (f64, f64))>) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    for row in &report.rows {
        let Some((alike, point)) = point(row) else {
            continue;
        };
        let name = format!("{}, {alike}", row.server);
        match series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push(point),
            None => series.push(Series {
                name,
                points: vec![point],
            }),
        }
    }
    series.retain(|series| {
        series
            .points
            .iter()
            .any(|point| point.0 != series.points[0].0)
    });
    for line in &mut series {
        line.points.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    series
}
