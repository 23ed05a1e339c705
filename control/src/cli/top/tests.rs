use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::screen::{Action, Screen};
use super::view;
use super::watcher::Look;
use crate::api::{BackendStats, Flow, PoolStats, Quantiles, QueueStats, Rank, Stats, WorkerStats};

/// A server of two workers after so many seconds of the same load.
fn look(start: Instant, seconds: u64, flows: usize) -> Look {
    let turns = Quantiles {
        spans: vec![
            (1_000, 90 * seconds),
            (2_000, 9 * seconds),
            (50_000, seconds),
        ],
        ..Quantiles::default()
    };
    let worker = |number: u32| WorkerStats {
        open: 3,
        drops: BTreeMap::from([("claimed".to_owned(), 2 * seconds)]),
        busy_us: 250_000 * seconds,
        idle_us: 750_000 * seconds,
        stages: BTreeMap::from([("turn".to_owned(), turns.clone())]),
        traffic: vec![QueueStats {
            queue: number,
            frames_in: 12_345 * seconds,
            bytes_in: 1_000_000 * seconds,
            batches_in: 1_234 * seconds,
            frames_out: 500 * seconds,
            bytes_out: 2_500 * seconds,
            ..QueueStats::default()
        }],
        ..WorkerStats::default()
    };
    let flow = |number: usize| Flow {
        state: "ESTABLISHED".to_owned(),
        local: "192.0.2.1:7".parse().unwrap(),
        remote: format!("192.0.2.2:{}", 40_000 + number).parse().unwrap(),
        recv_queue: 0,
        send_queue: 4_096,
        timer: None,
        details: None,
    };
    Look {
        at: start + Duration::from_secs(seconds),
        stats: Stats {
            open: 6,
            blocks_total: 100,
            workers: vec![worker(0), worker(1)],
            ..Stats::default()
        },
        flows: (0..flows).map(flow).collect(),
    }
}

fn screen(flows: usize) -> Screen {
    let mut screen = Screen::new("eth0-1".to_owned(), Duration::from_secs(1));
    let start = Instant::now();
    for seconds in [10, 12] {
        screen.on_look(Ok(look(start, seconds, flows)));
    }
    screen
}

fn page(screen: &Screen, columns: u16, lines: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| view::draw(frame, screen)).unwrap();
    let text = view::text(terminal.backend().buffer());
    text.lines().map(str::to_owned).collect()
}

fn press(screen: &mut Screen, code: KeyCode) -> Action {
    screen.on_key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn rates_are_of_the_time_between_two_looks() {
    let screen = screen(0);
    let worker = &screen.workers()[1];
    assert_eq!(worker.queues, "1");
    let close = |value: f64, expected: f64| (value - expected).abs() < expected * 1e-6;
    assert!(close(worker.busy, 0.25), "{worker:?}");
    assert!(close(worker.frames_in, 12_345.0) && close(worker.frames_out, 500.0));
    assert!(close(worker.bits_in, 8_000_000.0) && close(worker.bits_out, 20_000.0));
    assert!(close(worker.drops, 2.0) && close(worker.batch, 12_345.0 / 1_234.0));
    assert_eq!(
        (worker.turns.p50, worker.turns.p99),
        (Some(1_000), Some(2_000))
    );
}

#[test]
fn all_of_it_fits_80_columns_and_24_lines() {
    let page = page(&screen(50), 80, 24);
    assert_eq!(
        page.len(),
        25,
        "24 lines and an empty one:\n{}",
        page.join("\n")
    );
    assert!(page[0].starts_with("eth0-1: 6 open"), "{}", page[0]);
    assert!(
        page[2].contains("p50") && page[2].contains("1.0us"),
        "{}",
        page[2]
    );
    assert!(
        page[3].contains("p99") && page[3].contains("2.0us"),
        "{}",
        page[3]
    );
    let workers: Vec<&str> = page[4].split_whitespace().collect();
    assert_eq!(workers.first(), Some(&"W"));
    assert!(
        page[4].ends_with("p99"),
        "the last column is cut off: {}",
        page[4]
    );
    let row: Vec<&str> = page[6].split_whitespace().collect();
    let expected = [
        "1", "1", "25%", "12.3k", "500", "8.0M", "20.0k", "10.0", "2", "3", "1.0us", "2.0us",
    ];
    assert_eq!(row, expected);
    assert!(
        page[7].contains("local") && page[7].contains("bytes*"),
        "{}",
        page[7]
    );
    assert!(
        page[8].contains("192.0.2.2:40000") && page[8].contains("4.1k"),
        "{}",
        page[8]
    );
    assert!(page[23].starts_with("q quit"), "{}", page[23]);
}

#[test]
fn any_size_can_be_drawn() {
    for (columns, lines) in [(1, 1), (10, 3), (40, 8), (300, 100)] {
        page(&screen(50), columns, lines);
    }
}

#[test]
fn keys_are_those_of_top() {
    let mut screen = screen(50);
    assert_eq!(press(&mut screen, KeyCode::Char(' ')), Action::Look);
    let order = [
        (KeyCode::Char('R'), Rank::Retransmissions),
        (KeyCode::Char('T'), Rank::Srtt),
        (KeyCode::Char('M'), Rank::SendQueue),
        (KeyCode::Char('P'), Rank::Bytes),
        (KeyCode::Right, Rank::SendQueue),
        (KeyCode::Left, Rank::Bytes),
        (KeyCode::Left, Rank::Retransmissions),
        (KeyCode::Right, Rank::Bytes),
    ];
    for (key, rank) in order {
        assert_eq!(press(&mut screen, key), Action::Look);
        assert_eq!(screen.rank(), rank, "{key:?}");
    }
    for (key, first) in [
        (KeyCode::Down, 1),
        (KeyCode::PageDown, 11),
        (KeyCode::Up, 10),
        (KeyCode::End, 49),
        (KeyCode::Down, 49),
        (KeyCode::Home, 0),
        (KeyCode::Up, 0),
    ] {
        assert_eq!(press(&mut screen, key), Action::None);
        let port = screen.flows()[0].flow.remote.port();
        assert_eq!(port, 40_000 + first, "{key:?}");
    }
    assert_eq!(press(&mut screen, KeyCode::Char('h')), Action::None);
    assert!(
        page(&screen, 80, 24)
            .iter()
            .any(|line| line.contains("this help"))
    );
    assert_eq!(
        press(&mut screen, KeyCode::Esc),
        Action::None,
        "only closes the help"
    );
    assert!(!screen.shows_help());
    assert_eq!(press(&mut screen, KeyCode::Char('+')), Action::Look);
    assert_eq!(screen.delay(), Duration::from_secs(2));
    for _ in 0..10 {
        press(&mut screen, KeyCode::Char('-'));
    }
    assert_eq!(screen.delay(), Duration::from_millis(250));
    assert_eq!(press(&mut screen, KeyCode::Char('q')), Action::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.on_key(interrupt), Action::Quit);
}

#[test]
fn a_server_that_does_not_answer_is_said_to_until_it_does() {
    let mut screen = screen(1);
    screen.on_look(Err(anyhow::anyhow!("the server hung up")));
    let lines = page(&screen, 80, 24);
    assert!(lines[23].contains("hung up"), "{}", lines[23]);
    screen.on_look(Ok(look(Instant::now(), 60, 1)));
    assert_eq!(screen.error(), None);
}

#[test]
fn backends_stand_between_workers_and_connections() {
    let mut look = look(Instant::now(), 14, 1);
    let backend = BackendStats {
        address: "192.0.2.10:80".parse().unwrap(),
        state: "ejected".to_owned(),
        held: 4,
        counters: BTreeMap::from([("refused".to_owned(), 2), ("timed_out".to_owned(), 3)]),
    };
    let pool = PoolStats {
        backends: vec![backend],
        ..PoolStats::default()
    };
    look.stats.pools.insert("web".to_owned(), pool);
    let mut screen = screen(0);
    screen.on_look(Ok(look));
    let page = page(&screen, 100, 24);
    let line = page.iter().find(|line| line.contains("192.0.2.10:80"));
    let words: Vec<&str> = line.expect("a line").split_whitespace().collect();
    assert_eq!(
        words[..6],
        ["web", "192.0.2.10:80", "ejected", "4", "0", "5"]
    );
}
