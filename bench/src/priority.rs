//! Running before all else on the machine.

use thread_priority::ThreadPriority;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// Lets this thread, and those that it will start, run before all ordinary ones (SCHED_FIFO): on a
/// busy machine a thread may otherwise wait for milliseconds, and what it sends after that is a
/// burst which the queue of a path drops. Whether the kernel allows it.
pub(crate) fn before_others() -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
    if let Err(error) = &set {
        tracing::warn!("no real-time priority, so other load will show in the figures: {error:?}");
    }
    set.is_ok()
}
