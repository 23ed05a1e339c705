//! `[tcp]`: settings of connections.

use serde::{Deserialize, Serialize};
use wirepath_tcp::config::{Config, EcnMode, KeepAlive, Marking, RecoveryConfig, RecoveryFeatures};
use wirepath_tcp::limits::{BUFFER_MAX, BUFFER_MIN};
use wirepath_tcp::time::Millis;

use super::choices::{Congestion, Cookies, Ecn, word_for};
use super::setting::{Auto, Count, Off, Or, Period, Size};

/// Longest time there is, in milliseconds: 46 days.
const LONGEST: u32 = 4_000_000_000;
const SECOND: u32 = 1_000;
const MINUTE: u32 = 60 * SECOND;

type Buffer = Size<{ BUFFER_MIN as u64 }, { BUFFER_MAX as u64 }>;

/// Silence after which a peer is asked whether it is there, at least a second.
pub type Silence = Or<Period<SECOND, LONGEST>, Off>;

/// What of a [`Config`] is said; the rest is as it was. Each is as in [`Config`], where its name
/// is the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table [tcp]")]
#[expect(missing_docs, reason = "docs/wirepath.toml tells what each is")]
pub struct TcpSettings {
    pub congestion: Option<Congestion>,
    pub ecn: Option<Ecn>,
    pub pacing: Option<bool>,
    pub nagle: Option<bool>,
    pub cork: Option<bool>,
    pub initial_window: Option<Count<1, 255>>,
    pub max_segment: Option<Or<Count<48, 65_495>, Auto>>,
    pub send_buffer: Option<Buffer>,
    pub receive_buffer: Option<Buffer>,
    pub keep_alive: Option<Silence>,
    pub keep_alive_interval: Option<Period<SECOND, LONGEST>>,
    pub keep_alive_probes: Option<Count<2, 255>>,
    pub user_timeout: Option<Period<SECOND, LONGEST>>,
    pub user_timeout_option: Option<bool>,
    pub stall_timeout: Option<Or<Period<SECOND, LONGEST>, Off>>,
    pub fin_wait_2: Option<Period<1, LONGEST>>,
    pub msl: Option<Period<1, { 4 * MINUTE }>>,
    pub syn_timeout: Option<Period<{ 3 * MINUTE }, LONGEST>>,
    pub initial_rto: Option<Period<1, MINUTE>>,
    pub min_rto: Option<Period<1, MINUTE>>,
    pub max_rto: Option<Period<MINUTE, { 60 * MINUTE }>>,
    pub delayed_ack: Option<Period<0, 499>>,
    pub quick_acks: Option<Count<0, 255>>,
    pub timestamps: Option<bool>,
    pub sack: Option<bool>,
    pub window_scaling: Option<bool>,
    pub dsack: Option<bool>,
    pub tail_loss_probe: Option<bool>,
    pub f_rto: Option<bool>,
    pub eifel: Option<bool>,
    pub reordering: Option<Count<1, 255>>,
    pub syn_cookies: Option<Cookies>,
    pub fast_open: Option<bool>,
    pub path_probing: Option<bool>,
    pub dscp: Option<Count<0, 63>>,
    pub hop_limit: Option<Or<Count<1, 255>, Auto>>,
}

/// What servers have where nothing is said.
#[must_use]
pub fn server_defaults() -> Config {
    Config {
        // What is echoed goes at once: nothing better will come to join it.
        nagle: false,
        // Who only listens offers ECN to nobody: this is as good as passive.
        ecn: EcnMode::Active,
        // A client that vanished must not hold its place for ever.
        keep_alive: Some(KeepAlive::default()),
        ..Config::default()
    }
}

/// Sets `target` where something is said.
fn set<T: Clone + Into<U>, U>(target: &mut U, said: &Option<T>) {
    if let Some(said) = said {
        *target = said.clone().into();
    }
}

/// Sets or unsets `target` where something is said.
fn set_or<T: Copy + Into<U>, W, U>(target: &mut Option<U>, said: &Option<Or<T, W>>) {
    if let Some(said) = said {
        *target = said.0.map(Into::into);
    }
}

impl TcpSettings {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// These settings over `base`.
    #[must_use]
    pub fn over(&self, base: Config) -> Config {
        let mut config = base;
        set(&mut config.congestion, &self.congestion);
        set(&mut config.ecn, &self.ecn);
        set(&mut config.pacing, &self.pacing);
        set(&mut config.nagle, &self.nagle);
        set(&mut config.cork, &self.cork);
        set(&mut config.initial_window, &self.initial_window);
        set_or(&mut config.max_segment, &self.max_segment);
        set(&mut config.send_buffer, &self.send_buffer);
        set(&mut config.receive_buffer, &self.receive_buffer);
        set(&mut config.quick_acks, &self.quick_acks);
        set(&mut config.timestamps, &self.timestamps);
        set(&mut config.sack, &self.sack);
        set(&mut config.window_scaling, &self.window_scaling);
        set(&mut config.syn_cookies, &self.syn_cookies);
        set(&mut config.fast_open, &self.fast_open);
        set(&mut config.path_probing, &self.path_probing);
        set(&mut config.marking.dscp, &self.dscp);
        set_or(&mut config.marking.hop_limit, &self.hop_limit);
        self.set_times(&mut config);
        self.set_keep_alive(&mut config.keep_alive);
        self.set_recovery(&mut config.recovery);
        config
    }

    fn set_times(&self, config: &mut Config) {
        set(&mut config.user_timeout, &self.user_timeout);
        set(&mut config.user_timeout_option, &self.user_timeout_option);
        set_or(&mut config.stall_timeout, &self.stall_timeout);
        set(&mut config.fin_wait_2, &self.fin_wait_2);
        set(&mut config.msl, &self.msl);
        set(&mut config.syn_timeout, &self.syn_timeout);
        set(&mut config.initial_rto, &self.initial_rto);
        set(&mut config.min_rto, &self.min_rto);
        set(&mut config.max_rto, &self.max_rto);
        set(&mut config.delayed_ack, &self.delayed_ack);
    }

    fn set_keep_alive(&self, keep_alive: &mut Option<KeepAlive>) {
        match self.keep_alive.map(|silence| silence.0) {
            Some(None) => *keep_alive = None,
            Some(Some(idle)) => keep_alive.get_or_insert_default().idle = idle.0,
            None => {}
        }
        if let Some(keep_alive) = keep_alive {
            set(&mut keep_alive.interval, &self.keep_alive_interval);
            set(&mut keep_alive.probes, &self.keep_alive_probes);
        }
    }

    fn set_recovery(&self, recovery: &mut RecoveryConfig) {
        set(&mut recovery.reordering, &self.reordering);
        for (feature, said) in [
            (RecoveryFeatures::DSACK, self.dsack),
            (RecoveryFeatures::TAIL_PROBE, self.tail_loss_probe),
            (RecoveryFeatures::F_RTO, self.f_rto),
            (RecoveryFeatures::EIFEL, self.eifel),
        ] {
            if let Some(on) = said {
                recovery.features.set(feature, on);
            }
        }
    }

    /// Everything of `config`, said.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let keep_alive = config.keep_alive.unwrap_or_default();
        let RecoveryConfig {
            features,
            reordering,
        } = config.recovery;
        let Marking { dscp, hop_limit } = config.marking;
        Self {
            congestion: word_for(&config.congestion),
            // Who only listens offers to nobody.
            ecn: word_for(&config.ecn).or(Some(Ecn::On)),
            pacing: Some(config.pacing),
            nagle: Some(config.nagle),
            cork: Some(config.cork),
            initial_window: Some(Count(config.initial_window.into())),
            max_segment: Some(count_or(config.max_segment)),
            send_buffer: Some(Size(config.send_buffer.into())),
            receive_buffer: Some(Size(config.receive_buffer.into())),
            keep_alive: Some(period_or(config.keep_alive.map(|k| k.idle))),
            keep_alive_interval: Some(Period(keep_alive.interval)),
            keep_alive_probes: Some(Count(keep_alive.probes.into())),
            user_timeout: Some(Period(config.user_timeout)),
            user_timeout_option: Some(config.user_timeout_option),
            stall_timeout: Some(period_or(config.stall_timeout)),
            fin_wait_2: Some(Period(config.fin_wait_2)),
            msl: Some(Period(config.msl)),
            syn_timeout: Some(Period(config.syn_timeout)),
            initial_rto: Some(Period(config.initial_rto)),
            min_rto: Some(Period(config.min_rto)),
            max_rto: Some(Period(config.max_rto)),
            delayed_ack: Some(Period(config.delayed_ack)),
            quick_acks: Some(Count(config.quick_acks.into())),
            timestamps: Some(config.timestamps),
            sack: Some(config.sack),
            window_scaling: Some(config.window_scaling),
            dsack: Some(features.contains(RecoveryFeatures::DSACK)),
            tail_loss_probe: Some(features.contains(RecoveryFeatures::TAIL_PROBE)),
            f_rto: Some(features.contains(RecoveryFeatures::F_RTO)),
            eifel: Some(features.contains(RecoveryFeatures::EIFEL)),
            reordering: Some(Count(reordering.into())),
            syn_cookies: word_for(&config.syn_cookies),
            fast_open: Some(config.fast_open),
            path_probing: Some(config.path_probing),
            dscp: Some(Count(dscp.into())),
            hop_limit: Some(count_or(hop_limit)),
        }
    }
}

fn period_or<const MIN: u32>(time: Option<Millis>) -> Or<Period<MIN, LONGEST>, Off> {
    Or::new(time.map(Period))
}

fn count_or<const MIN: u32, const MAX: u32>(
    number: Option<impl Into<u32>>,
) -> Or<Count<MIN, MAX>, Auto> {
    Or::new(number.map(|number| Count(number.into())))
}

impl<const MIN: u32, const MAX: u32> From<Period<MIN, MAX>> for Millis {
    fn from(period: Period<MIN, MAX>) -> Self {
        period.0
    }
}

impl<const MIN: u64, const MAX: u64> From<Size<MIN, MAX>> for u32 {
    fn from(size: Size<MIN, MAX>) -> Self {
        size.0.min(Self::MAX.into()) as Self
    }
}

impl<const MIN: u32, const MAX: u32> From<Count<MIN, MAX>> for u8 {
    fn from(count: Count<MIN, MAX>) -> Self {
        count.0.min(Self::MAX.into()) as Self
    }
}

impl<const MIN: u32, const MAX: u32> From<Count<MIN, MAX>> for u16 {
    fn from(count: Count<MIN, MAX>) -> Self {
        count.0.min(Self::MAX.into()) as Self
    }
}
