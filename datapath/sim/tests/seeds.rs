//! Two hundred random scenarios; any number by `cargo run --release -p wirepath-sim -- --seeds N`.

use std::ops::Range;

use wirepath_sim::play;
use wirepath_sim::scenario::Scenario;

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
