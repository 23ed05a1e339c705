//! Two hosts, and between them a wire on which the fuzzer loses, repeats, delays and reorders
//! what it likes, while their applications do what it says.
//!
//! Whatever it does, what one application gets is a part of what the other has sent, from its
//! begin on. And when the faults end, all arrives, or whoever misses something knows of the end.

mod net;
mod side;

use arbitrary::{Arbitrary, Unstructured};

use crate::settings::Settings;
use net::Net;

/// Steps of one input.
const MOST_STEPS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum Who {
    Client,
    Server,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Send(Who, u16),
    SendUrgent(Who, u16),
    Read(Who, u16),
    Shutdown(Who),
    Close(Who),
    Abort(Who),
    NoDelay(Who, bool),
    Cork(Who, bool),
    /// So many milliseconds go by.
    Wait(u16),
    /// Until the next timer fires.
    WaitForTimer,
    /// The packet at this place on the way to the host arrives, alone or once more.
    Deliver(Who, u8),
    Duplicate(Who, u8),
    /// It is lost.
    Drop(Who, u8),
    /// A router marks it (RFC 3168).
    Mark(Who, u8),
    DeliverAll(Who),
    DropAll(Who),
    /// All to the server arrives, then all to the client, the answers too.
    Exchange,
}

/// Takes the bytes as what happens between two hosts.
pub fn check(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok((client, server)) = bytes.arbitrary::<(Settings, Settings)>() else {
        return;
    };
    let mut net = Net::new(client.config(), server.config());
    let Ok(steps) = bytes.arbitrary_iter::<Step>() else {
        return net.settle();
    };
    for step in steps.flatten().take(MOST_STEPS) {
        act(&mut net, &step);
        net.check();
    }
    net.settle();
}

fn act(net: &mut Net, step: &Step) {
    match *step {
        Step::Send(who, len) => net.side(who).send(len.into(), false),
        Step::SendUrgent(who, len) => net.side(who).send(len.into(), true),
        Step::Read(who, most) => net.side(who).read(most.into()),
        Step::Shutdown(who) => net.side(who).shutdown(),
        Step::Close(who) => net.side(who).close(),
        Step::Abort(who) => net.side(who).abort(),
        Step::NoDelay(who, on) => net.side(who).set(|options| options.no_delay = on),
        Step::Cork(who, on) => net.side(who).set(|options| options.cork = on),
        Step::Wait(millis) => net.wait(millis),
        Step::WaitForTimer => net.wait_for_timer(),
        Step::Deliver(who, at) => net.deliver(who, at),
        Step::Duplicate(who, at) => net.duplicate(who, at),
        Step::Drop(who, at) => net.drop_one(who, at),
        Step::Mark(who, at) => net.mark(who, at),
        Step::DeliverAll(who) => net.deliver_all(who),
        Step::DropAll(who) => net.drop_all(who),
        Step::Exchange => net.exchange(),
    }
}
