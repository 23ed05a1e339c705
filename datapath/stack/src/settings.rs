//! Settings of connections that rest: few kinds, each kept once.

use wirepath_tcp::config::Config;

use crate::limits::RESTING_SETTINGS;

const _: () = assert!(RESTING_SETTINGS <= 1 << u8::BITS);

/// The settings of one connection. It is not `Clone`: to lose one is to keep the settings for ever.
#[derive(Debug)]
pub(crate) struct SettingsId(u8);

/// Settings, and how many connections have them.
#[derive(Debug, Default)]
pub(crate) struct SharedSettings {
    kinds: Vec<(Config, u32)>,
}

impl SharedSettings {
    /// Takes memory for as many kinds as there may be.
    pub(crate) fn new() -> Self {
        Self {
            kinds: Vec::with_capacity(RESTING_SETTINGS),
        }
    }

    /// Keeps settings for one connection more; `None` where there are too many kinds.
    pub(crate) fn keep(&mut self, config: &Config) -> Option<SettingsId> {
        let known = self.kinds.iter().position(|(kind, _)| kind == config);
        let unused = || self.kinds.iter().position(|&(_, users)| users == 0);
        let at = known.or_else(unused).unwrap_or(self.kinds.len());
        if at == RESTING_SETTINGS {
            return None;
        }
        if at == self.kinds.len() {
            self.kinds.push((*config, 0));
        }
        let (kind, users) = &mut self.kinds[at];
        *kind = *config;
        *users += 1;
        Some(SettingsId(at as u8))
    }

    pub(crate) fn get(&self, id: &SettingsId) -> &Config {
        &self.kinds[usize::from(id.0)].0
    }

    /// A connection needs them no more, but to go on with.
    pub(crate) fn let_go(&mut self, id: SettingsId) -> Config {
        let (kind, users) = &mut self.kinds[usize::from(id.0)];
        *users -= 1;
        *kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(number: usize) -> Config {
        Config {
            send_buffer: 4_096 + number as u32,
            ..Config::default()
        }
    }

    #[test]
    fn equal_settings_are_kept_once_and_places_are_used_again() {
        let mut settings = SharedSettings::new();
        let mut ids: Vec<SettingsId> = (0..RESTING_SETTINGS)
            .map(|number| settings.keep(&kind(number)).expect("room"))
            .collect();
        let one = settings.keep(&kind(7)).expect("it is known");
        assert_eq!(settings.get(&one), &kind(7));
        assert!(settings.keep(&kind(RESTING_SETTINGS)).is_none());

        assert_eq!(settings.let_go(one), kind(7));
        assert!(settings.keep(&kind(RESTING_SETTINGS)).is_none());
        settings.let_go(ids.swap_remove(7));
        let other = settings.keep(&kind(RESTING_SETTINGS)).expect("a place");
        assert_eq!(settings.get(&other), &kind(RESTING_SETTINGS));
    }
}
