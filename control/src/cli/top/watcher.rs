//! The thread that asks the server, so that keys are heard while it is slow to answer.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::api::{Client, Flow, Rank, Stats};

/// Connections that are shown at most.
const FLOWS: usize = 100;

/// What the server said, and when.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) stats: Stats,
    pub(super) flows: Vec<Flow>,
}

/// How to go on: at once, and then so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) delay: Duration,
    pub(super) rank: Rank,
}

/// Looks at a server again and again, until it is dropped.
pub(super) struct Watcher {
    orders: Sender<Order>,
    looks: Receiver<anyhow::Result<Look>>,
}

impl Watcher {
    pub(super) fn start(client: Client, delay: Duration) -> io::Result<Self> {
        let (orders, from_screen) = channel();
        let (to_screen, looks) = channel();
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let rank = Rank::default();
        let thread = std::thread::Builder::new().name("watcher".to_owned());
        thread.spawn(move || {
            let mut order = Order { delay, rank };
            loop {
                let look = tokio.block_on(look(&client, order.rank));
                if to_screen.send(look).is_err() {
                    return;
                }
                match from_screen.recv_timeout(order.delay) {
                    Ok(new) => order = new,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { orders, looks })
    }

    pub(super) fn order(&self, order: Order) {
        // Without its thread there is nothing to be said, as the next look tells.
        let _ = self.orders.send(order);
    }

    /// The next look.
    pub(super) fn wait(&self) -> anyhow::Result<anyhow::Result<Look>> {
        self.looks
            .recv()
            .map_err(|_| anyhow!("the watcher has ended"))
    }

    /// A look that has come since.
    pub(super) fn poll(&self) -> anyhow::Result<Option<anyhow::Result<Look>>> {
        match self.looks.try_recv() {
            Ok(look) => Ok(Some(look)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(anyhow!("the watcher has ended")),
        }
    }
}

async fn look(client: &Client, rank: Rank) -> anyhow::Result<Look> {
    let stats = client.stats().await?;
    let at = Instant::now();
    let flows = client.top(rank, FLOWS).await?;
    Ok(Look { at, stats, flows })
}
