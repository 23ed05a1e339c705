//! The wirepath runtime and command.
