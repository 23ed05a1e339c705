//! Taking on a file that has changed, while the server runs.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::diff::{self, Diff, SettingChange};
use super::error::ConfigError;
use super::file::Configuration;
use super::place;
use crate::runtime::{ControlPlane, ListenError};

/// Bytes of the longest file that is read.
const LONGEST: u64 = 1 << 20;

/// Where a server's configuration comes from, so that it can come again.
pub struct Source {
    /// The file; `None` for flags alone.
    file: Option<PathBuf>,
    /// What flags say over it.
    flags: Box<dyn Fn(&mut Configuration) + Send + Sync>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Why a configuration could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
}

impl Source {
    /// A file, if any, with `flags` over it.
    #[must_use]
    pub fn new(
        file: Option<PathBuf>,
        flags: impl Fn(&mut Configuration) + Send + Sync + 'static,
    ) -> Self {
        Self {
            file,
            flags: Box::new(flags),
        }
    }

    /// A file alone.
    #[must_use]
    pub fn file(file: &Path) -> Self {
        Self::new(Some(file.to_owned()), |_| {})
    }

    /// Whether there is something to read again.
    #[must_use]
    pub const fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reads and checks it all.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn load(&self) -> Result<Configuration, SourceError> {
        let Some(file) = &self.file else {
            let mut configuration = Configuration::default();
            (self.flags)(&mut configuration);
            configuration.check("", Path::new("command line"))?;
            return Ok(configuration);
        };
        let bytes = read(file).map_err(|source| SourceError::Unreadable {
            file: file.clone(),
            source,
        })?;
        let text = place::text(bytes, file)?;
        let mut configuration = Configuration::parse(&text, file)?;
        (self.flags)(&mut configuration);
        configuration.check(&text, file)?;
        Ok(configuration)
    }
}

/// A whole file. Whatever else may have no end, or keep a running server waiting.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(file)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than a MiB"));
    }
    Ok(bytes)
}

/// Why nothing was taken on.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// There is no file.
    #[error("this server was started without a file (`wirepath serve -c FILE`): nothing to reload")]
    NoFile,
    /// It closes its connections.
    #[error("the server is ending; nothing has changed")]
    Ending,
    /// What is there is wrong.
    #[error("{0}; nothing has changed")]
    Source(#[from] SourceError),
    /// A running server cannot change this.
    #[error("{} cannot change while the server runs: start it again; nothing has changed",
        diff::list(.0))]
    NeedsRestart(Vec<SettingChange>),
    /// A listener could not be added or changed.
    #[error("{0}; nothing has changed")]
    Listen(#[from] ListenError),
}

/// What a running server does, and where to look for what it should do.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    plane: Arc<ControlPlane>,
    /// Held over a reload, so that reloads come one after the other; `None` once it ends.
    running: Mutex<Option<Configuration>>,
}

impl Reloader {
    /// For a server that was started with `running`, which came from `source`.
    #[must_use]
    pub fn new(source: Source, running: Configuration, plane: Arc<ControlPlane>) -> Self {
        Self {
            source,
            plane,
            running: Mutex::new(Some(running)),
        }
    }

    /// Reloads nothing from now on; how long connections are to have to end.
    pub async fn end(&self) -> Duration {
        let last = self.running.lock().await.take();
        last.map_or(Duration::ZERO, |last| last.drain.duration())
    }

    /// What a reload would change.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn preview(&self) -> Result<Diff, ReloadError> {
        let running = self.running.lock().await;
        let running = running.as_ref().ok_or(ReloadError::Ending)?;
        let wanted = self.wanted()?;
        let settings = changeable(running, &wanted)?;
        self.plane.check_pools(&wanted.pools()).await?;
        let numbers = self.plane.pool_numbers().with(&wanted.pools());
        let listeners = wanted.listeners(&numbers);
        let listeners = self.plane.compare_listeners(&listeners).await?;
        Ok(Diff::new(&listeners, settings, &numbers))
    }

    /// Has the server do what the file says now: all of it, or, with an error, nothing. What is no
    /// longer in the file accepts no more; connections go on as they began. The log tells either.
    ///
    /// Not to be given up half-way: what was changed until then would stay.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn reload(&self) -> Result<Diff, ReloadError> {
        let reloaded = self.try_reload().await;
        match &reloaded {
            Ok(diff) => diff
                .to_string()
                .lines()
                .for_each(|line| tracing::info!("reload: {line}")),
            Err(error) => tracing::error!("reload: {error}"),
        }
        reloaded
    }

    async fn try_reload(&self) -> Result<Diff, ReloadError> {
        let mut running = self.running.lock().await;
        let running = running.as_mut().ok_or(ReloadError::Ending)?;
        let wanted = self.wanted()?;
        let settings = changeable(running, &wanted)?;
        let numbers = self.plane.set_pools(wanted.pools()).await?;
        let listeners = wanted.listeners(&numbers);
        let replaced = self.plane.replace_listeners(wanted.tcp(), &listeners).await;
        let replaced = match replaced {
            Ok(replaced) => replaced,
            Err(error) => {
                // As they were.
                self.plane.set_pools(running.pools()).await?;
                let retired = self.plane.retire_other_pools(&running.pools()).await;
                retired.map_err(ListenError::from)?;
                return Err(error.into());
            }
        };
        if let Err(error) = self.plane.retire_other_pools(&wanted.pools()).await {
            // No listener leads there any more.
            tracing::warn!(%error, "a pool that is removed");
        }
        let diff = Diff::new(&replaced, settings, &numbers);
        *running = wanted;
        Ok(diff)
    }

    fn wanted(&self) -> Result<Configuration, ReloadError> {
        if !self.source.has_file() {
            return Err(ReloadError::NoFile);
        }
        Ok(self.source.load()?)
    }
}

fn changeable(
    running: &Configuration,
    wanted: &Configuration,
) -> Result<Vec<SettingChange>, ReloadError> {
    let (changeable, fixed) = diff::settings(running, wanted);
    if fixed.is_empty() {
        Ok(changeable)
    } else {
        Err(ReloadError::NeedsRestart(fixed))
    }
}
