//! Configurations of servers.

use std::fs;
use std::path::PathBuf;

use wirepath::netns::Network;

use super::server::control_path;

/// A file that goes when the value does.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(text: &str) -> Self {
        let file = Self(control_path().with_extension("toml"));
        file.write(text);
        file
    }

    /// Replaces what it says.
    pub(crate) fn write(&self, text: &str) {
        let text = format!("interface = \"{}\"\n{text}", Network::SERVER_INTERFACE);
        fs::write(&self.0, text).unwrap();
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Nobody is hurt by a file that stays.
        let _ = fs::remove_file(&self.0);
    }
}
