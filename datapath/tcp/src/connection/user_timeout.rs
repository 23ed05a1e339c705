//! How long unacknowledged text is borne: RFC 9293 3.8.3, RFC 5482.

use std::time::Duration;

use wirepath_wire::tcp::{Header, Options, UserTimeout};

use super::Connection;
use crate::config::Config;
use crate::limits::{USER_TIMEOUT_MAX, USER_TIMEOUT_MIN};

impl Connection {
    /// USER_TIMEOUT: as long as either side asks for, within limits (RFC 5482 3.1).
    pub(super) fn user_timeout(&self) -> Duration {
        let ours = self.config.user_timeout.duration();
        let Some(theirs) = self
            .negotiated
            .remote_user_timeout
            .filter(|_| self.config.user_timeout_option)
        else {
            return ours;
        };
        let theirs = Duration::from_secs(theirs.seconds().into());
        let longest = USER_TIMEOUT_MAX.duration().max(ours);
        ours.max(theirs)
            .max(USER_TIMEOUT_MIN.duration())
            .min(longest)
    }

    /// What the peer asks for now; 0 says nothing (RFC 5482 3.3).
    pub(super) fn note_user_timeout(&mut self, header: &Header) {
        let said = header.options.user_timeout;
        if let Some(asked) = said.filter(|asked| asked.seconds() > 0) {
            self.negotiated.remote_user_timeout = Some(asked);
        }
    }

    /// Adds the option to a segment until text is acknowledged: SYNs get lost, and so do their
    /// options (RFC 5482 3).
    pub(super) fn tell_user_timeout(&self, options: &mut Options) {
        if self.counts.bytes_acked == 0 {
            options.user_timeout = advertised(&self.config);
        }
    }
}

/// ADV_UTO: RFC 5482 3.1.
pub(crate) fn advertised(config: &Config) -> Option<UserTimeout> {
    let seconds = config.user_timeout.duration().as_secs();
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    config
        .user_timeout_option
        .then(|| UserTimeout::from_seconds(seconds))
}
