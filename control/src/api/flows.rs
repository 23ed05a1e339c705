//! `/v1/flows` and `/v1/summary`: flows by pages, and how many are in each state.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use wirepath_stack::worker::{Cursor, FlowView};
use wirepath_tcp::state;

use super::failure::{Failure, Parameters};
use super::filter::Filter;
use super::model::{Flow, FlowPage, Rank};
use super::server::{Answer, Server};

/// Flows of a page where nothing is said.
const LIMIT_DEFAULT: usize = 1_000;
/// Flows of a page at most.
pub(super) const LIMIT_MAX: usize = 10_000;
/// Flows of the highest ranks where nothing is said, and at most.
const TOP_DEFAULT: usize = 20;
pub(super) const TOP_MAX: usize = 200;
/// Looks at workers for one page, however little was found: an answer must come in time.
const LOOKS_PER_PAGE: usize = 1_024;

/// What can be said of a page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// Where a page ends: in which worker, and where there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    worker: usize,
    cursor: Cursor,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:x}", self.worker, self.cursor.bits())
    }
}

impl FromStr for Place {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let parsed = text.split_once('-').and_then(|(worker, cursor)| {
            Some(Self {
                worker: worker.parse().ok()?,
                cursor: Cursor::from_bits(u32::from_str_radix(cursor, 16).ok()?),
            })
        });
        let error = || format!("after={text} is no `next` of another page");
        parsed.ok_or_else(|| Failure::new(StatusCode::BAD_REQUEST, error()))
    }
}

/// A page of flows.
pub(super) async fn flows(
    State(server): State<Server>,
    Parameters(query): Parameters<Query>,
) -> Answer<FlowPage> {
    let wrong = |error: String| Failure::new(StatusCode::BAD_REQUEST, error);
    let filter: Filter = query
        .filter
        .parse()
        .map_err(|error| wrong(format!("filter: {error}")))?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(wrong(format!("limit={limit} is not in 1 to {LIMIT_MAX}")));
    }
    let from = query
        .after
        .map_or(Ok(Place::default()), |after| after.parse())?;
    Ok(Json(page(&server, &filter, (from, limit)).await?))
}

async fn page(
    server: &Server,
    filter: &Filter,
    (from, limit): (Place, usize),
) -> Result<FlowPage, Failure> {
    let workers = server.plane.workers();
    let (mut page, mut place) = (FlowPage::default(), from);
    for _ in 0..LOOKS_PER_PAGE {
        let Some(worker) = workers.get(place.worker) else {
            return Ok(page);
        };
        let left = limit - page.flows.len();
        if left == 0 {
            break;
        }
        let filter = filter.clone();
        let wanted = move |view: &FlowView<'_>| filter.matches(view.state, view.tuple);
        let chunk = worker.flows(place.cursor, left, wanted).await?;
        let flows = chunk.flows.iter();
        page.flows
            .extend(flows.map(|flow| Flow::of(flow, chunk.now)));
        place = match chunk.next {
            Some(cursor) => Place { cursor, ..place },
            None => Place {
                worker: place.worker + 1,
                cursor: Cursor::default(),
            },
        };
    }
    let is_end = place.worker >= workers.len();
    page.next = (!is_end).then(|| place.to_string());
    Ok(page)
}

/// What can be said of the highest ranks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopQuery {
    #[serde(default)]
    by: Rank,
    #[serde(default)]
    limit: Option<usize>,
}

/// The connections that rank highest, the first first. All are looked at, a few in a turn.
pub(super) async fn top(
    State(server): State<Server>,
    Parameters(query): Parameters<TopQuery>,
) -> Answer<Vec<Flow>> {
    let (by, limit) = (query.by, query.limit.unwrap_or(TOP_DEFAULT));
    if !(1..=TOP_MAX).contains(&limit) {
        let error = format!("limit={limit} is not in 1 to {TOP_MAX}");
        return Err(Failure::new(StatusCode::BAD_REQUEST, error));
    }
    let (mut top, mut least) = (Vec::new(), 0);
    for worker in server.plane.workers() {
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            let stands_out = move |view: &FlowView<'_>| {
                let info = view.info().info;
                info.is_some_and(|info| by.of(&info) >= least)
            };
            let chunk = worker.flows(from, usize::MAX, stands_out).await?;
            let ranked = chunk.flows.iter().filter_map(|flow| {
                let rank = by.of(flow.info.as_ref()?);
                Some((rank, Flow::of(flow, chunk.now)))
            });
            top.extend(ranked);
            top.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
            top.truncate(limit);
            // Only who ranks higher is still of interest.
            if let Some((rank, _)) = top.get(limit - 1) {
                least = rank + 1;
            }
            next = chunk.next;
        }
    }
    Ok(Json(top.into_iter().map(|(_, flow)| flow).collect()))
}

/// How many flows are in each of the eleven states.
pub(super) async fn summary(State(server): State<Server>) -> Answer<BTreeMap<String, u64>> {
    let states = state::State::ALL
        .iter()
        .map(|state| state.name().to_owned());
    Ok(Json(states.zip(server.plane.states().await?).collect()))
}
