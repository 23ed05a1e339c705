//! What the screen of `top` knows: the last two looks, what was between, and the keys.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::watcher::Look;
use crate::api::{Flow, QueueStats, Rank, Stats, WorkerStats};

/// Looks whose spans are remembered.
const HISTORY: usize = 240;
/// Shortest and longest time between two looks that keys can set.
const DELAYS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(60)];

/// What a key asks of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    None,
    /// Look at once, and from now on as the screen says.
    Look,
    Quit,
}

/// One worker between two looks; rates are of a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct WorkerRow {
    pub(super) queues: String,
    /// Share of time in turns that did something, 0 to 1.
    pub(super) busy: f64,
    pub(super) frames_in: f64,
    pub(super) frames_out: f64,
    pub(super) bits_in: f64,
    pub(super) bits_out: f64,
    /// Frames that one look at a queue brought.
    pub(super) batch: f64,
    pub(super) drops: f64,
    pub(super) open: usize,
    /// Length of turns in nanoseconds.
    pub(super) turns: Spans,
}

/// Half of the spans were no longer, and 99 of 100; `None` when there were none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) p50: Option<u64>,
    pub(super) p99: Option<u64>,
}

/// A connection, and bytes of a second both ways; none at its first look.
#[derive(Debug, Clone)]
pub(super) struct FlowRow {
    pub(super) flow: Flow,
    pub(super) rate: Option<f64>,
}

#[derive(Debug)]
pub(super) struct Screen {
    name: String,
    delay: Duration,
    last: Option<Look>,
    error: Option<String>,
    workers: Vec<WorkerRow>,
    flows: Vec<FlowRow>,
    history: VecDeque<Spans>,
    rank: Rank,
    scroll: usize,
    help: bool,
}

impl Screen {
    pub(super) const fn new(name: String, delay: Duration) -> Self {
        Self {
            name,
            delay,
            last: None,
            error: None,
            workers: Vec::new(),
            flows: Vec::new(),
            history: VecDeque::new(),
            rank: Rank::Bytes,
            scroll: 0,
            help: false,
        }
    }

    /// Takes in what the server said, or why it did not.
    pub(super) fn on_look(&mut self, look: anyhow::Result<Look>) {
        let look = match look {
            Ok(look) => look,
            Err(error) => {
                self.error = Some(format!("{error:#}"));
                return;
            }
        };
        self.error = None;
        if let Some(last) = &self.last {
            let seconds = look.at.duration_since(last.at).as_secs_f64().max(1e-6);
            let workers = look.stats.workers.iter().zip(&last.stats.workers);
            self.workers = workers
                .map(|(now, before)| row(now, before, seconds))
                .collect();
            self.history.push_back(spans(&look.stats, &last.stats));
            while self.history.len() > HISTORY {
                self.history.pop_front();
            }
            self.flows = flows(&look, last, seconds);
        }
        self.scroll = self.scroll.min(look.flows.len().saturating_sub(1));
        self.last = Some(look);
    }

    pub(super) fn on_key(&mut self, key: KeyEvent) -> Action {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Action::Quit,
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Char('h' | '?') | KeyCode::F(1) => self.help = !self.help,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Esc => return Action::Quit,
            KeyCode::Char(' ') => return Action::Look,
            KeyCode::Char('P' | 'p') => return self.order_by(Rank::Bytes),
            KeyCode::Char('M' | 'm') => return self.order_by(Rank::SendQueue),
            KeyCode::Char('T' | 't') => return self.order_by(Rank::Srtt),
            KeyCode::Char('R' | 'r') => return self.order_by(Rank::Retransmissions),
            KeyCode::Right => return self.order_by(self.neighbor(1)),
            KeyCode::Left => return self.order_by(self.neighbor(Rank::ALL.len() - 1)),
            KeyCode::Down => self.scroll_to(self.scroll + 1),
            KeyCode::Up => self.scroll_to(self.scroll.saturating_sub(1)),
            KeyCode::PageDown => self.scroll_to(self.scroll + 10),
            KeyCode::PageUp => self.scroll_to(self.scroll.saturating_sub(10)),
            KeyCode::Home => self.scroll_to(0),
            KeyCode::End => self.scroll_to(usize::MAX),
            KeyCode::Char('+') => return self.wait(self.delay * 2),
            KeyCode::Char('-') => return self.wait(self.delay / 2),
            _ => {}
        }
        Action::None
    }

    fn order_by(&mut self, rank: Rank) -> Action {
        self.rank = rank;
        self.scroll = 0;
        Action::Look
    }

    fn neighbor(&self, steps: usize) -> Rank {
        let at = Rank::ALL.iter().position(|&rank| rank == self.rank);
        Rank::ALL[(at.unwrap_or_default() + steps) % Rank::ALL.len()]
    }

    fn wait(&mut self, delay: Duration) -> Action {
        self.delay = delay.clamp(DELAYS[0], DELAYS[1]);
        Action::Look
    }

    fn scroll_to(&mut self, row: usize) {
        self.scroll = row.min(self.flows.len().saturating_sub(1));
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn delay(&self) -> Duration {
        self.delay
    }

    pub(super) const fn rank(&self) -> Rank {
        self.rank
    }

    pub(super) const fn shows_help(&self) -> bool {
        self.help
    }

    /// Why the server did not answer, if it did not.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    pub(super) fn stats(&self) -> Option<&Stats> {
        self.last.as_ref().map(|look| &look.stats)
    }

    pub(super) fn workers(&self) -> &[WorkerRow] {
        &self.workers
    }

    /// The connections from the one scrolled to.
    pub(super) fn flows(&self) -> &[FlowRow] {
        self.flows.get(self.scroll..).unwrap_or_default()
    }

    pub(super) const fn history(&self) -> &VecDeque<Spans> {
        &self.history
    }
}

fn row(now: &WorkerStats, before: &WorkerStats, seconds: f64) -> WorkerRow {
    let sum = |stats: &WorkerStats, get: fn(&QueueStats) -> u64| -> u64 {
        stats.traffic.iter().map(get).sum()
    };
    let more = |get: fn(&QueueStats) -> u64| sum(now, get).saturating_sub(sum(before, get)) as f64;
    let drops = |stats: &WorkerStats| stats.drops.values().sum::<u64>();
    let busy = now.busy_us.saturating_sub(before.busy_us) as f64;
    let idle = now.idle_us.saturating_sub(before.idle_us) as f64;
    let (frames_in, batches) = (more(|q| q.frames_in), more(|q| q.batches_in));
    WorkerRow {
        queues: now.queues(),
        busy: busy / (busy + idle).max(1.0),
        frames_in: frames_in / seconds,
        frames_out: more(|q| q.frames_out) / seconds,
        bits_in: more(|q| q.bytes_in) * 8.0 / seconds,
        bits_out: more(|q| q.bytes_out) * 8.0 / seconds,
        batch: frames_in / batches.max(1.0),
        drops: drops(now).saturating_sub(drops(before)) as f64 / seconds,
        open: now.open,
        turns: spans_of([(now, before)].into_iter()),
    }
}

/// The turns of all workers between two looks.
fn spans(now: &Stats, before: &Stats) -> Spans {
    spans_of(now.workers.iter().zip(&before.workers))
}

fn spans_of<'a>(workers: impl Iterator<Item = (&'a WorkerStats, &'a WorkerStats)>) -> Spans {
    let mut counts = BTreeMap::<u64, u64>::new();
    for (now, before) in workers {
        let turns = |stats: &'a WorkerStats| {
            let stage = stats.stages.get("turn");
            stage.map_or(&[][..], |stage| &stage.spans)
        };
        for &(nanos, count) in turns(now) {
            *counts.entry(nanos).or_default() += count;
        }
        for &(nanos, count) in turns(before) {
            if let Some(now) = counts.get_mut(&nanos) {
                *now = now.saturating_sub(count);
            }
        }
    }
    Spans {
        p50: quantile(&counts, 0.5),
        p99: quantile(&counts, 0.99),
    }
}

/// The least span that this share did not exceed.
fn quantile(counts: &BTreeMap<u64, u64>, share: f64) -> Option<u64> {
    let wanted = (counts.values().sum::<u64>() as f64 * share).ceil() as u64;
    let mut up_to = 0;
    let reached = counts.iter().find(|&(_, count)| {
        up_to += count;
        *count > 0 && up_to >= wanted
    });
    reached.map(|(&nanos, _)| nanos)
}

fn flows(now: &Look, before: &Look, seconds: f64) -> Vec<FlowRow> {
    type Ends = (SocketAddr, SocketAddr);
    let carried = |flow: &Flow| -> Option<(Ends, u64)> {
        let details = flow.details.as_ref()?;
        let bytes = details.bytes_received + details.bytes_acked;
        Some(((flow.local, flow.remote), bytes))
    };
    let earlier: BTreeMap<Ends, u64> = before.flows.iter().filter_map(carried).collect();
    let row = |flow: &Flow| {
        let rate = carried(flow).and_then(|(ends, bytes)| {
            // Another connection of the same ends begins anew.
            let more = bytes.checked_sub(*earlier.get(&ends)?)?;
            Some(more as f64 / seconds)
        });
        let flow = flow.clone();
        FlowRow { flow, rate }
    };
    now.flows.iter().map(row).collect()
}
