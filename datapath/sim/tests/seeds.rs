//! Two hundred random scenarios; any number by `cargo run --release -p wirepath-sim -- --seeds N`.

use std::ops::Range;

use wirepath_sim::play;
use wirepath_sim::scenario::{Faults, Scenario};

fn play_all(seeds: Range<u64>) {
    for seed in seeds {
        // A panic of the stack is told without its seed, so it is printed before.
        println!("cargo run --release -p wirepath-sim -- --seed {seed} --trace");
        if let Err(failure) = play(&Scenario::draw(seed)) {
            panic!("{failure}\n{}", failure.hosts.join("\n"));
        }
    }
}

#[test]
fn the_first_hundred_seeds_deliver_every_byte() {
    play_all(0..100);
}

#[test]
fn the_second_hundred_seeds_deliver_every_byte() {
    play_all(100..200);
}

/// What a seed may have, and in how many of the two hundred it is.
#[test]
fn two_hundred_seeds_have_every_fault() {
    type Has = fn(&Faults) -> bool;
    let kinds: [(&str, Has); 10] = [
        ("loss", |f| f.loss > 0.0),
        ("bursts", |f| f.burst.is_some()),
        ("reordering", |f| f.reorder.is_some()),
        ("duplicates", |f| f.duplicate > 0.0),
        ("damage", |f| f.corrupt > 0.0),
        ("a bottleneck", |f| f.queue.is_some()),
        ("an outage", |f| f.outage.is_some()),
        ("a narrow link", |f| !f.narrow.is_empty() && !f.black_hole),
        ("a black hole", |f| f.black_hole),
        ("nothing", Faults::is_clean),
    ];
    for (name, has) in kinds {
        let seeds = (0..200).filter(|&seed| Scenario::draw(seed).faults.iter().any(has));
        let count = seeds.count();
        assert!(count >= 10, "{name}: {count}");
    }
}
