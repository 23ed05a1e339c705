//! The unix socket that the API listens at.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Where servers put their sockets by default, one each.
pub(super) const DIRECTORY: &str = "/run/wirepath";

/// A control socket that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody listens there.
    #[error("a server with control socket {0} is running; choose another path with --control")]
    Taken(PathBuf),
    /// The kernel refused.
    #[error("cannot make control socket {path}: {source}; choose another path with --control")]
    System {
        /// The path that was tried.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl SocketError {
    /// Whether the path that was given is wrong, rather than the state of the machine.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
        let Self::System { source, .. } = self else {
            return false;
        };
        matches!(source.kind(), NotFound | NotADirectory | InvalidInput)
    }
}

/// A listening socket, 0660; its file goes when this does.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    listener: std::os::unix::net::UnixListener,
}

impl ControlSocket {
    /// Listens at `path`, or at `/run/wirepath/INTERFACE-PID.sock`. A file that a killed server
    /// left there is replaced.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn bind(path: Option<&Path>, interface: &str) -> Result<Self, SocketError> {
        let own = || Path::new(DIRECTORY).join(format!("{interface}-{}.sock", std::process::id()));
        let given = path.map(Path::to_owned);
        let path = given.clone().unwrap_or_else(own);
        let failed = |source| SocketError::System {
            path: path.clone(),
            source,
        };
        if given.is_none() {
            let made = DirBuilder::new()
                .recursive(true)
                .mode(0o750)
                .create(DIRECTORY);
            made.map_err(failed)?;
            sweep(Path::new(DIRECTORY));
        }
        if is_socket(&path) {
            if StdUnixStream::connect(&path).is_ok() {
                return Err(SocketError::Taken(path));
            }
            fs::remove_file(&path).map_err(failed)?;
        }
        let listener = std::os::unix::net::UnixListener::bind(&path).map_err(failed)?;
        let this = Self {
            path: path.clone(),
            listener,
        };
        fs::set_permissions(&path, Permissions::from_mode(0o660)).map_err(failed)?;
        this.listener.set_nonblocking(true).map_err(failed)?;
        Ok(this)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the sockets of servers that were killed.
fn sweep(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries
        .map(|entry| entry.path())
        .filter(|path| is_socket(path))
    {
        let refused = StdUnixStream::connect(&path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if refused {
            let _ = fs::remove_file(path);
        }
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Whether it is root, or the server's own user or group, whatever became of the file's mode.
pub(super) fn is_trusted(stream: &UnixStream) -> bool {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    stream.peer_cred().is_ok_and(|peer| {
        peer.uid() == 0 || peer.uid() == user.as_raw() || peer.gid() == group.as_raw()
    })
}
