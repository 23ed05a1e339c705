//! What a server counted and measured, in the text format of Prometheus.

mod families;
mod pools;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
mod text;

pub(super) use families::metrics;

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
