//! What the control thread notices and says aloud.

use std::time::Duration;

use wirepath_wire::Error;

use super::Runtime;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(1);

impl Runtime {
    /// Looks for what a person should know, until the end.
    pub async fn watch(&self) {
        let mut told = false;
        loop {
            tokio::time::sleep(INTERVAL).await;
            for worker in self.workers() {
                let Ok(snapshot) = worker.snapshot().await else {
                    continue;
                };
                let counters = &snapshot.counters;
                let partial = counters.malformed[Error::TcpChecksumPartial.index()];
                if partial > 0 && counters.segments_in == 0 && !told {
                    told = true;
                    tracing::warn!(
                        "all {partial} segments came with unfinished checksums: the peer leaves \
                         them to an offload that this link has not; on the peer's end of a veth \
                         pair run `ethtool -K IFACE tx off`, or start with --rx-checksum partial-ok"
                    );
                }
            }
        }
    }
}
