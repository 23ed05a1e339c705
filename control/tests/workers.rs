//! Several workers on the queues of one interface. Needs root.

mod support;

use std::net::{SocketAddr, TcpStream};
use std::thread;

use support::client::{self, ADDRESSES};
use support::fault::{Fault, Rates};
use support::server::Server;
use wirepath::api::Stats;
use wirepath::netns::{Link, Network};

const QUEUES: u32 = 4;

fn network(label: &str, mtu: u32) -> Network {
    let link = Link {
        queues: QUEUES,
        mtu,
        ..Link::default()
    };
    Network::through_middle(label, &link).unwrap()
}

/// Four workers on four queues.
fn server(network: &Network) -> Server {
    let mut arguments = client::all_addresses();
    arguments.extend(["--workers".to_owned(), QUEUES.to_string()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Server::start(network, "echo", &arguments)
}

/// Every frame goes to a queue of its own, whatever its connection.
fn spread(network: &Network) -> [Fault; 2] {
    let rates = Rates {
        queues: QUEUES,
        ..Rates::default()
    };
    Fault::both_ways(network, rates)
}

fn connection_per_worker(stats: &Stats) -> Vec<(usize, u64)> {
    let workers = stats.workers.iter();
    workers.map(|worker| (worker.open, worker.opened)).collect()
}

#[test]
fn connections_whose_frames_move_between_queues_stay_with_their_worker() {
    const CONNECTIONS: usize = 2_000;
    const THREADS: usize = 8;
    const ROUNDS: usize = 5;
    client::allow_many_files();
    let network = network("workers", 1500);
    let server = server(&network);
    let _spread = spread(&network);
    let streams: Vec<Vec<TcpStream>> = thread::scope(|scope| {
        let open = |first: usize| {
            let addresses = (first..CONNECTIONS).step_by(THREADS);
            let connect = |number| {
                let to = SocketAddr::new(ADDRESSES[number / THREADS % ADDRESSES.len()], 7);
                client::connect_here(to).unwrap()
            };
            network
                .client
                .run(|| addresses.map(connect).collect())
                .unwrap()
        };
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || open(n))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let begin = server.stats();
    let by_worker = connection_per_worker(&begin);
    println!("connections by worker: {by_worker:?}");
    let most = by_worker.iter().map(|&(open, _)| open).max().unwrap();
    let least = by_worker.iter().map(|&(open, _)| open).min().unwrap();
    assert_eq!(
        by_worker.iter().map(|&(open, _)| open).sum::<usize>(),
        CONNECTIONS
    );
    assert!(most <= 2 * least, "balance: {by_worker:?}");
    thread::scope(|scope| {
        for streams in &streams {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    for (number, stream) in streams.iter().enumerate() {
                        client::ping(stream, (number * ROUNDS + round) as u64);
                    }
                }
            });
        }
    });
    let end = server.stats();
    assert_eq!(connection_per_worker(&end), by_worker, "none has moved");
    assert_eq!(end.known_connections, CONNECTIONS);
    let handed: Vec<_> = end
        .workers
        .iter()
        .map(|w| (w.handed_over, w.taken_over))
        .collect();
    println!("frames handed over and taken over: {handed:?}");
    // Three of four frames come to a queue of another worker.
    let in_all = end.counters["frames_in"];
    assert!(
        end.counters["handed_over"] > in_all / 2,
        "{handed:?} of {in_all}"
    );
    assert_eq!(end.drops.get("hand_over_full"), None);
    drop(streams);
    let stats = server.stop();
    assert_eq!(stats.counters["resets_out"], 0, "{stats:#?}");
}

fn bulk_and_short_connections(label: &str, mtu: u32) -> Stats {
    const EACH: u64 = 50;
    let network = network(label, mtu);
    let server = server(&network);
    let _spread = spread(&network);
    thread::scope(|scope| {
        for (seed, address) in ADDRESSES.into_iter().enumerate() {
            let network = &network;
            scope.spawn(move || {
                for number in 0..EACH {
                    let stream = client::connect(&network.client, (address, 7));
                    client::echo(&stream, 20_000, seed as u64 * EACH + number);
                }
                let stream = client::connect(&network.client, (address, 7));
                client::echo(&stream, 8 << 20, seed as u64);
            });
        }
    });
    let stats = server.stop();
    assert_eq!(
        stats.counters["opened"],
        (EACH + 1) * ADDRESSES.len() as u64
    );
    stats
}

#[test]
fn bulk_and_short_connections_bear_frames_on_any_queue() {
    bulk_and_short_connections("workers-short", 1500);
}

#[test]
fn frames_of_9000_bytes_are_handed_over_whole() {
    let stats = bulk_and_short_connections("workers-jumbo", 9000);
    let counters = &stats.counters;
    assert!(
        counters["handed_over"] > counters["frames_in"] / 2,
        "{stats:#?}"
    );
    assert_eq!(stats.drops.get("hand_over_full"), None);
}
