//! Sends every ping back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wirepath_device::Device as _;
use wirepath_stack::clock::MonotonicClock;
use wirepath_xdp::XdpDevice;

use super::end::End;
use super::{Idle, ping};

/// How long who sleeps may take to notice that it is to end.
const NAP: Duration = Duration::from_millis(50);

/// Reflects until it is told to end. `clock` is the pinger's, where that is of this machine.
///
/// # Errors
/// The interface is gone.
pub(super) fn reflect(
    mut all: Vec<End>,
    clock: Option<MonotonicClock>,
    (idle, ends): (Idle, &AtomicBool),
) -> anyhow::Result<()> {
    let time = || clock.map_or(0, |clock| clock.now().as_nanos());
    while !ends.load(Ordering::Relaxed) {
        let mut received = 0;
        for end in &mut all {
            let came = time();
            let turn = end.turn(|bytes| {
                let Some(mut stamps) = ping::read(bytes) else {
                    return false;
                };
                ping::turn(bytes);
                (stamps.came, stamps.went) = (came, time());
                ping::stamp(bytes, &stamps);
                true
            });
            received += turn.received;
            end.device.flush()?;
        }
        if received == 0 && idle == Idle::Sleep {
            let mut devices: Vec<&mut XdpDevice> =
                all.iter_mut().map(|end| &mut end.device).collect();
            XdpDevice::wait_any(&mut devices, NAP)?;
        }
    }
    Ok(())
}
